# SPDX-License-Identifier: MIT
"""Whatever the language can say works all the way, or is refused with a reason and what to write instead."""

from __future__ import annotations

from fuzz_nets import Outcome, attempt

NETWORKS = 4  # python tests/fuzz_nets.py 300 does more


def test_random_networks_are_equal_everywhere_or_refused() -> None:
    outcomes: list[Outcome] = []
    seed = 0
    while sum(outcome.refused is None for outcome in outcomes) < NETWORKS:
        outcomes.append(attempt(seed))
        seed += 1
    for outcome in outcomes:
        assert outcome.wrong == (), outcome
        assert outcome.refused is None or (outcome.refused.problem and outcome.refused.remedy), outcome
    assert any(outcome.refused for outcome in outcomes)
