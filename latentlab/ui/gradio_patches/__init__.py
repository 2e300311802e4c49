"""Faults of Gradio and their mends, one file a fault: what is wrong, since when, and the smallest mend.

A test of tests/ui/gradio_patches/test_stock_faults.py shows each fault on Gradio as it is installed, and fails once it
is gone; then the file can go, too. docs/gradio.md lists them. A choice among what Gradio offers does not belong here.
"""
