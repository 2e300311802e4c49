"""Signs that an attack says little about a classifier: AutoAttack's flags (Croce and Hein 2020, arXiv 2003.01690)."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.operators.adversary import Adversary
from latentlab.operators.scoring import logits_of, loss_of
from latentlab.types import Batch, Bench, Logits

TRIES = 4  # random moves that the attack must beat


@torch.no_grad()
def doubts(
    attack: Adversary, batch: Batch, bench: Bench, reached: Float[Tensor, " B"] | None = None
) -> tuple[str, ...]:
    """A line for each reason not to trust this attack; none if it is sound as far as can be seen.

    `reached` is the loss at the attack's end, for one that has been run already.
    """
    first, again = (logits_of(bench, batch.images) for _ in range(2))
    found = {
        "The classifier is random: two looks at one image differ, so a gradient shows one draw only.": _differ(
            first, again
        ),
        "The classifier gives probabilities, not logits: gradients vanish where it is sure.": _probabilities(first),
        "The gradient is zero for some images: the attack stands still there.": _flat(attack, batch, bench),
        "Random moves in the same ball hurt more than the attack: its gradient misleads.": _beaten(
            attack, batch, bench, reached
        ),
    }
    return tuple(line for line, present in found.items() if present)


def _differ(first: Logits, again: Logits) -> bool:
    return not torch.allclose(first, again, atol=1e-5)


def _probabilities(logits: Logits) -> bool:
    return bool((logits >= 0).all()) and torch.allclose(logits.sum(1), torch.ones_like(logits[:, 0]), atol=1e-4)


def _flat(attack: Adversary, batch: Batch, bench: Bench) -> bool:
    return bool((attack.gradient(batch, bench).abs().amax(1) == 0).any())


def _beaten(attack: Adversary, batch: Batch, bench: Bench, reached: Float[Tensor, " B"] | None) -> bool:
    goal, sign = attack.goal(batch, bench), -1 if attack.label == "target" else 1

    def harm(operator: Adversary) -> float:
        return sign * float(loss_of(logits_of(bench, operator(batch, bench).images), goal).mean())

    own = harm(attack) if reached is None else sign * float(reached.mean())
    return attack.steps > 0 and any(harm(replace(attack, start="random", steps=0)) > own for _ in range(TRIES))
