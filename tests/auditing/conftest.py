"""An audit of digits, made once for all tests that only read it."""

from __future__ import annotations

import pytest
from auditing.digits_case import CONFIG
from repository import CHECKPOINTS

from latentlab.auditing import audit_moves
from latentlab.store import Store


@pytest.fixture(scope="session")
def store():
    return Store(CHECKPOINTS, "cpu")


@pytest.fixture(scope="session")
def events(store):
    return list(audit_moves(CONFIG, store))
