# SPDX-License-Identifier: MIT
"""Data sets that go by a name: digits and thermistor, shipped with qnn, and mnist, which is downloaded once."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import platformdirs

from qnn.data.idx import find_idx, read_idx_folder
from qnn.data.npz import read_npz
from qnn.data.options import LoadOptions
from qnn.data.table import Table
from qnn.data.thermistor import thermistor
from qnn.errors import QnnError

MNIST_FILES = 4
VARIABLE = "QNN_DATA"


@dataclass(frozen=True)
class BuiltIn:
    """A named data set: one sample's shape, the samples (with those of the test part), a line about it, its task."""

    name: str
    shape: tuple[int, ...]
    samples: int
    about: str
    task: str = "classification"


BUILT_IN = (
    BuiltIn(
        "digits", (8, 8, 1), 1797, "UCI handwritten digits, 8x8 pixels of 0 to 16 (Alpaydin and Kaynak, CC BY 4.0)"
    ),
    BuiltIn(
        "thermistor", (5,), 6000, "simulated NTC thermometer: raw ADC counts in, degrees Celsius out", "regression"
    ),
    BuiltIn("mnist", (28, 28, 1), 70000, "handwritten digits, 28x28 gray pixels (LeCun, Cortes and Burges)"),
)
NAMES = tuple(entry.name for entry in BUILT_IN)


def read_built_in(name: str, options: LoadOptions) -> Table:
    """The samples of a built-in data set. Raises QnnError if mnist is not on this machine."""
    if name == "thermistor":
        return thermistor()
    if name == "digits":
        content = (resources.files("qnn.data") / "files" / "digits.npz").read_bytes()
        return read_npz(io.BytesIO(content), name, replace(options, task="classification"))
    folder = find_mnist(options.data_dir)
    if folder is None:
        places = ", ".join(str(place) for place in _places(options.data_dir))
        raise QnnError("mnist", f"is not on this machine (not in {places})", "get it with: qnn data fetch mnist")
    return read_idx_folder(folder, options)


def find_mnist(data_dir: Path | None) -> Path | None:
    """The folder with MNIST's files: `data_dir`, $QNN_DATA or the user's cache, or the folder mnist in one of them."""
    folders = [folder for place in _places(data_dir) for folder in (place, place / "mnist")]
    return next((folder for folder in folders if len(find_idx(folder)) == MNIST_FILES), None)


def _places(data_dir: Path | None) -> list[Path]:
    variable = os.environ.get(VARIABLE)
    return [place for place in (data_dir, Path(variable) if variable else None, cache_folder()) if place]


def cache_folder() -> Path:
    """Where downloads go unless the user says otherwise."""
    return Path(platformdirs.user_cache_dir("qnn", appauthor=False)) / "data"
