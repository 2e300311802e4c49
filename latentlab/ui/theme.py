"""The page's look: system letters, one accent, both themes; more is in assets/page.css, the rest beside each part."""

from __future__ import annotations

from typing import Any

from gradio.themes import Base
from gradio.themes.utils import colors, sizes

from latentlab.ui.scripts import load_script, load_style_sheets

FONT_FAMILY = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
MONO_FAMILY = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
ACCENT_COLOUR = colors.Color(
    name="accent",
    c50="#eef3fb",
    c100="#dbe6f7",
    c200="#b8ceef",
    c300="#8fb1e6",
    c400="#6a94dc",
    c500="#3f72c8",
    c600="#2a5cb3",
    c700="#224b93",
    c800="#1d3f7a",
    c900="#183362",
    c950="#0f2141",
)
HEAD_PATCHES = ("structured_clone", "stream_loss", "early_cancel")  # must be there before Gradio's script


def load_style_options() -> dict[str, Any]:
    """Return the keywords for `launch`: theme, style sheet, and what a script must know before Gradio's."""
    theme = Base(
        primary_hue=ACCENT_COLOUR,
        neutral_hue=colors.zinc,
        font=FONT_FAMILY,
        font_mono=MONO_FAMILY,
        text_size=sizes.text_sm,
        spacing_size=sizes.spacing_sm,
        radius_size=sizes.radius_sm,
    )
    style, script = load_style_sheets(), load_script(*(f"gradio_patches/{name}.js" for name in HEAD_PATCHES))
    head = f"<style>{style}</style><script>{script}</script>"  # as `css` Gradio would rewrite its media queries
    return {"theme": theme, "head": head}
