# SPDX-License-Identifier: MIT
"""How long work tells its caller how far it is, without knowing who shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then with what is done, of how much, and a few words on the state."""

    def __call__(self, done: int, total: int, text: str = "") -> None: ...


def silent(done: int, total: int, text: str = "") -> None:
    """The progress of callers that do not want to see any."""
