"""The server of the page: how it is launched, who may ask what, and how answers travel.

What is shown belongs elsewhere in `ui`; what mends Gradio belongs in `ui.gradio_patches`.
"""
