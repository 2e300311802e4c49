"""A visitor's session: small frozen values, and the verbs that make the next one."""

from latentlab.session.attack import attack, control
from latentlab.session.desk import BANK, Desk
from latentlab.session.keep import name_of, png, recipe_of, restore
from latentlab.session.state import Found, Photo, Reading, Rebuilt, Result, Session, Track
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
    "Desk",
    "Found",
    "Photo",
    "Reading",
    "Rebuilt",
    "Result",
    "Session",
    "Track",
    "act",
    "attack",
    "change_world",
    "choose",
    "control",
    "crop",
    "moved",
    "name_of",
    "once",
    "open_world",
    "png",
    "put",
    "receive",
    "recipe_of",
    "reseed",
    "restore",
    "strip",
]
