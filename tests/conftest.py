# SPDX-License-Identifier: MIT
"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("qnn", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("qnn")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder that $QNN_DATA names (with mnist/ and others in it); without it the test is skipped, loudly."""
    folder = os.environ.get("QNN_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("QNN_DATA does not name a folder of test data: this test did not run")
    return Path(folder)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator whose seed is printed when the test fails; $QNN_SEED overrides it."""
    seed = int(os.environ.get("QNN_SEED", "20260"))
    print(f"seed {seed} (set QNN_SEED to try another)")
    return np.random.default_rng([seed, *request.node.name.encode()])
