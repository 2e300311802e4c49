"""The pictures that the map's figure asks for: that of a point under the hand, and the sheet of all."""

from __future__ import annotations

from typing import Any

from latentlab.errors import UserError
from latentlab.images import ImageTensor
from latentlab.session import INDEX_SETTING
from latentlab.session.map.plan import MAP_SIZES, MapPlan, find_point_picture
from latentlab.session.map.service import MapMaker
from latentlab.session.map.sprite import MAX_SPRITES, draw_sprite_sheet
from latentlab.ui.html import encode_png_uri, spell_name
from latentlab.ui.page_parts import Page
from latentlab.ui.tabs.map.widgets import PICTURE_SOURCES


def preview_point(page: Page, atlas: MapMaker, asked: Any) -> dict[str, str] | None:
    """Return the picture of a point under the hand, or the sheet of all; None where the question makes no sense."""
    if not isinstance(asked, dict) or asked.get("world") not in page.workspace.store.worlds:
        return None
    try:
        if "count" in asked:
            return {"src": encode_png_uri(read_sprite_sheet(atlas, asked)), "text": ""}
        plan = MapPlan(asked["world"], "", asked.get("source", "test"), MAP_SIZES[-1])
        shown = find_point_picture(page.workspace, plan, INDEX_SETTING.check_value(asked.get("row")))
    except UserError:
        return None
    labels = ", ".join(sorted(map(spell_name, shown.labels or ()))[:4])
    return {"src": encode_png_uri(shown.image[0]), "text": " · ".join(filter(None, [labels, shown.origin]))}


def read_sprite_sheet(atlas: MapMaker, asked: dict[str, Any]) -> ImageTensor:
    """Return the sheet of thumbnails that a visitor's browser asks for."""
    source, count = asked.get("source"), asked.get("count")
    if source not in [key for _, key in PICTURE_SOURCES] or count not in MAP_SIZES or count > MAX_SPRITES:
        raise UserError("There is no such sheet of pictures; reload the page.")
    plan = MapPlan(asked["world"], str(asked.get("space")), source, count)
    return atlas.workspace.recall_result(("sprites", plan), lambda: draw_sprite_sheet(atlas, plan))
