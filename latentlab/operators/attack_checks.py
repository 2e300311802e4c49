"""Signs that an attack says little about a classifier: AutoAttack's flags (Croce and Hein 2020, arXiv 2003.01690)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.operators.attack import Attack
from latentlab.operators.classification import compute_logits, compute_losses
from latentlab.types import Batch, Bench, Logits

RANDOM_MOVES = 4  # random moves that the attack must beat


@torch.no_grad()
def check_attack(
    attack: Attack, batch: Batch, bench: Bench, reached: Float[Tensor, " B"] | None = None
) -> tuple[str, ...]:
    """Return a line for each reason not to trust this attack; none if it is sound as far as can be seen.

    `reached` is the loss at the attack's end, for one that has been run already.
    """
    first, again = (compute_logits(bench, batch.images) for _ in range(2))
    found = {
        "The classifier is random: two looks at one image differ, so a gradient shows one draw only.": _logits_differ(
            first, again
        ),
        "The classifier gives probabilities, not logits: gradients vanish where it is sure.": _are_probabilities(first),
        "The gradient is zero for some images: the attack stands still there.": _has_zero_gradient(
            attack, batch, bench
        ),
        "Random moves in the same ball hurt more than the attack: its gradient misleads.": _is_beaten(
            attack, batch, bench, reached
        ),
    }
    return tuple(line for line, present in found.items() if present)


def _logits_differ(first: Logits, again: Logits) -> bool:
    return not torch.allclose(first, again, atol=1e-5)


def _are_probabilities(logits: Logits) -> bool:
    return bool((logits >= 0).all()) and torch.allclose(logits.sum(1), torch.ones_like(logits[:, 0]), atol=1e-4)


def _has_zero_gradient(attack: Attack, batch: Batch, bench: Bench) -> bool:
    return bool((attack.compute_gradient(batch, bench).abs().amax(1) == 0).any())


def _is_beaten(attack: Attack, batch: Batch, bench: Bench, reached: Float[Tensor, " B"] | None) -> bool:
    goal, sign = attack.choose_goal(batch, bench), -1 if attack.label == "target" else 1

    def measure_harm(operator: Attack) -> float:
        return sign * float(compute_losses(compute_logits(bench, operator(batch, bench).images), goal).mean())

    own = measure_harm(attack) if reached is None else sign * float(reached.mean())
    return attack.steps > 0 and any(measure_harm(attack.replace_by_chance()) > own for _ in range(RANDOM_MOVES))
