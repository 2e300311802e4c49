"""A visitor's session: small frozen values, and the verbs that make the next one."""

from latentlab.session.animation import FORMATS, animation, animation_name
from latentlab.session.attack import attack, control
from latentlab.session.bundle import bundle, bundle_name
from latentlab.session.choice import pick, picture, rows_of, select
from latentlab.session.desk import BANK, DRAW, INDEX, REFINE, SEED, TEMPERATURE, Desk
from latentlab.session.elsewhere import Elsewhere, elsewhere
from latentlab.session.heat import Heat, heat
from latentlab.session.keep import file_name, name_of, pictures_in, png, recipe_of, restore, restore_recipe
from latentlab.session.lines import as_python
from latentlab.session.link import left_out, link, open_link
from latentlab.session.past import KEPT, current, go_back, remembered
from latentlab.session.path import Course, Path, course, jump, path_of
from latentlab.session.pin import pin, take_pinned, unpin
from latentlab.session.refine import refine, unrefined
from latentlab.session.state import (
    Found,
    Moment,
    Photo,
    Pin,
    Reading,
    Rebuilt,
    Result,
    Selection,
    Session,
    Source,
    Track,
)
from latentlab.session.verbs import (
    act,
    change_world,
    choose,
    clean,
    crop,
    moved,
    once,
    open_world,
    put,
    receive,
    reseed,
    strip,
)

__all__ = [
    "BANK",
    "DRAW",
    "FORMATS",
    "INDEX",
    "KEPT",
    "REFINE",
    "SEED",
    "TEMPERATURE",
    "Course",
    "Desk",
    "Elsewhere",
    "Found",
    "Heat",
    "Moment",
    "Path",
    "Photo",
    "Pin",
    "Reading",
    "Rebuilt",
    "Result",
    "Selection",
    "Session",
    "Source",
    "Track",
    "act",
    "animation",
    "animation_name",
    "as_python",
    "attack",
    "bundle",
    "bundle_name",
    "change_world",
    "choose",
    "clean",
    "control",
    "course",
    "crop",
    "current",
    "elsewhere",
    "file_name",
    "go_back",
    "heat",
    "jump",
    "left_out",
    "link",
    "moved",
    "name_of",
    "once",
    "open_link",
    "open_world",
    "path_of",
    "pick",
    "picture",
    "pictures_in",
    "pin",
    "png",
    "put",
    "receive",
    "recipe_of",
    "refine",
    "remembered",
    "reseed",
    "restore",
    "restore_recipe",
    "rows_of",
    "select",
    "strip",
    "take_pinned",
    "unpin",
    "unrefined",
]
