"""A visitor's session: small frozen values, and the verbs that make the next one."""

from latentlab.session.attack import attack, control
from latentlab.session.desk import BANK, DRAW, INDEX, SEED, TEMPERATURE, Desk
from latentlab.session.keep import file_name, name_of, pictures_in, png, recipe_of, restore
from latentlab.session.lines import as_python
from latentlab.session.link import link, open_link
from latentlab.session.past import KEPT, current, go_back, remembered
from latentlab.session.state import Found, Moment, Photo, Reading, Rebuilt, Result, Session, Track
from latentlab.session.verbs import (
    act,
    change_world,
    choose,
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
    "INDEX",
    "KEPT",
    "SEED",
    "TEMPERATURE",
    "Desk",
    "Found",
    "Moment",
    "Photo",
    "Reading",
    "Rebuilt",
    "Result",
    "Session",
    "Track",
    "act",
    "as_python",
    "attack",
    "change_world",
    "choose",
    "control",
    "crop",
    "current",
    "file_name",
    "go_back",
    "link",
    "moved",
    "name_of",
    "once",
    "open_link",
    "open_world",
    "pictures_in",
    "png",
    "put",
    "receive",
    "recipe_of",
    "remembered",
    "reseed",
    "restore",
    "strip",
]
