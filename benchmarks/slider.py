"""Where the server's milliseconds of one slider move go: each new amount of a direction, first to last byte of HTML.

python -m benchmarks.slider [--space cifar10-glow] [--times 20]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from latentlab import images
from latentlab import session as verbs
from latentlab.operators import Shift
from latentlab.session import Desk, Session
from latentlab.store import Store
from latentlab.ui import show

PARTS: dict[str, tuple[Any, str]] = {  # what is shown and the function that it is the time of
    "the move in latent space": (Shift, "move"),
    "decoding": (Desk, "decode"),
    "classifier": (Desk, "_probabilities"),
    "bits per dimension": (Desk, "_bits"),
    "PNG": (images, "png"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="cifar10-glow")
    parser.add_argument("--times", type=int, default=20)
    args = parser.parse_args()
    desk = Desk(Store(device="cpu"))
    session = verbs.open_world(desk, args.space.partition("-")[0], args.space)
    moves = [move(desk, session, 0.05 * (turn + 1)) for turn in range(args.times + 2)][2:]
    whole = statistics.median(sum(each.values()) for each in moves)
    for part in moves[0]:
        middle = statistics.median(each[part] for each in moves)
        print(f"{part:28} {middle:8.2f} ms {middle / whole:7.1%}")
    print(f"{'all of it':28} {whole:8.2f} ms")


def move(desk: Desk, session: Session, amount: float) -> dict[str, float]:
    """Milliseconds of each part, and of what is left."""
    spent = dict.fromkeys(PARTS, 0.0)
    patches = [
        patch.object(owner, name, timed(getattr(owner, name), part, spent)) for part, (owner, name) in PARTS.items()
    ]
    start = time.perf_counter()
    for each in patches:
        each.start()
    after = verbs.act(desk, session, Shift(direction="pc1", amount=amount))
    html = show.stage(desk, after) + show.status(desk, after)
    for each in patches:
        each.stop()
    between = time.perf_counter()
    json.dumps(html)
    done = time.perf_counter()
    rest = 1000 * (between - start) - sum(spent.values())
    return spent | {"the rest of the session, HTML": rest, "JSON": 1000 * (done - between)}


def timed(call: Callable[..., Any], part: str, spent: dict[str, float]) -> Callable[..., Any]:
    def run(*args: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*args, **named)
        finally:
            spent[part] += 1000 * (time.perf_counter() - start)

    return run


if __name__ == "__main__":
    main()
