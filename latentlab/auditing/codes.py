"""The codes of images, encoded once however many moves and trials look at them, within a bounded memory."""

from __future__ import annotations

from latentlab.auditing.moves import AuditedMove
from latentlab.operators import encode
from latentlab.types import Images, Latents

MOST_CODE_BYTES = 2**28  # of codes that are kept: those of 20,000 images of cifar10


class CodeCache:
    """The codes of chunks by space. Those of the space in use stay; codes that find no room are encoded each time."""

    def __init__(self, most_bytes: int = MOST_CODE_BYTES) -> None:
        self.most_bytes = most_bytes
        self._kept: dict[tuple[str, int], Latents] = {}

    def encode_chunk(self, move: AuditedMove, place: int, images: Images) -> Latents:
        """Return the codes of the chunk at this place, in the space of the move."""
        key = (move.space_name, place)
        if key in self._kept:
            return self._kept[key]
        codes = encode(move.space, images)
        if self.count_bytes() + _count_code_bytes(codes) > self.most_bytes:
            self._forget_other_spaces(move.space_name)
        if self.count_bytes() + _count_code_bytes(codes) <= self.most_bytes:
            self._kept[key] = codes
        return codes

    def count_bytes(self) -> int:
        return sum(map(_count_code_bytes, self._kept.values()))

    def _forget_other_spaces(self, name: str) -> None:
        self._kept = {key: codes for key, codes in self._kept.items() if key[0] == name}


def _count_code_bytes(codes: Latents) -> int:
    return sum(part.nbytes for part in codes.parts.values())
