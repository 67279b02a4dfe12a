# SPDX-License-Identifier: MIT
"""Fixtures that every test may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from pages import browser, cnn, cnn_page

from qnn.cli import main

__all__ = ["browser", "cnn", "cnn_page"]  # fixtures for every test

Run = Callable[..., tuple[int, str, str]]  # the words after `qnn`; exit code, stdout, stderr

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


@pytest.fixture
def qnn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line, as a user types it."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["qnn", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        captured = capsys.readouterr()
        return code if isinstance(code, int) else 0, captured.out, captured.err

    return run
