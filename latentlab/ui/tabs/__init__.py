"""Tabs, a folder each: `tab` builds and wires it, other modules draw what it alone shows; script and style lie beside.

Tabs meet only in the session. What is always in sight is in `ui.stage` and `ui.workbench`.
"""
