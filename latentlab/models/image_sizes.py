"""Sizes of picture that a network can have, and the nearest one where it cannot."""

from __future__ import annotations

import math

from latentlab.errors import UserError
from latentlab.types import ImageShape


def count_halvings(shape: ImageShape) -> int:
    """Count how often both sides can be halved."""
    _, height, width = shape
    both = math.gcd(height, width)
    return (both & -both).bit_length() - 1


def require_divisible_sides(shape: ImageShape, step: int, kind: str) -> None:
    """Refuse sides that `step` does not divide."""
    _, *sides = shape
    if any(side % step for side in sides):
        near = [max(round(side / step), 1) * step for side in sides]
        raise UserError(
            f"A {kind} needs height and width divisible by {step}, and these pictures are {_format_sides(sides)}; "
            f"the nearest size that it can have is {_format_sides(near)}."
        )


def require_power_of_two(shape: ImageShape, least: int, kind: str) -> None:
    """Refuse all but squares whose side is a power of two."""
    _, *sides = shape
    side = max(2 ** round(math.log2(max(min(sides), least))), least)
    if sides != [side, side]:
        raise UserError(
            f"A {kind} needs square pictures whose side is a power of two, and these are {_format_sides(sides)}; "
            f"the nearest size that it can have is {_format_sides([side, side])}."
        )


def _format_sides(sides: list[int]) -> str:
    return " × ".join(map(str, sides))
