"""A run belongs to whoever has a secret that a browser keeps; the disk knows only its digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from latentlab.errors import UserError


def make_token() -> str:
    return secrets.token_urlsafe(32)


def derive_owner(token: object) -> str:
    """Return the digest that stands in config.json."""
    if not isinstance(token, str) or not 20 <= len(token) <= 200:
        raise UserError("This browser has no name for its runs yet; reload the page.")
    return hashlib.sha256(token.encode()).hexdigest()


def is_same_owner(one: str, other: str) -> bool:
    """Compare in constant time, so that no answer tells how much of a guess is right."""
    return hmac.compare_digest(one.encode(), other.encode())
