"""How far mixing carries a point: E[min(λ, 1 − λ)²] d², where d is the distance of the partners."""

from __future__ import annotations

from latentlab.errors import UserError

ALPHA_RANGE = (0.01, 100.0)  # of α, as `Mix` allows it


def compute_nearer_share(alpha: float) -> float:
    """Compute E[min(λ, 1 − λ)²] for λ from Beta(α, α): 1/12 at α = 1, up to 1/4.

    2 ∫₀^½ λ² f(λ) dλ = 2 B(α + 2, α) / B(α, α) · I_½(α + 2, α), and the ratio of betas is (α + 1) / (4 α + 2).
    """
    from scipy.special import betainc

    return float(2 * (alpha + 1) / (4 * alpha + 2) * betainc(alpha + 2, alpha, 0.5))


def match_alpha(alpha: float, shrinkage: float) -> float:
    """Find the α at which E[min(λ, 1 − λ)²] is `shrinkage` times what it is at `alpha`: partners that are farther apart
    by 1 / shrinkage in squared distance then carry as far.
    """
    from scipy.optimize import root_scalar

    target, (low, high) = shrinkage * compute_nearer_share(alpha), ALPHA_RANGE
    if not compute_nearer_share(low) <= target <= compute_nearer_share(high):
        raise UserError(f"No α from {low:g} to {high:g} mixes {shrinkage:.3g} times as far as α {alpha:g} does.")
    return root_scalar(lambda tried: compute_nearer_share(tried) - target, bracket=(low, high)).root
