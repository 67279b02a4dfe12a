# SPDX-License-Identifier: MIT
"""The layers of imports: whoever runs integers loads no training code, and nothing reaches back up the road."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "qnn"
INTEGER_ROAD = ("fixedpoint", "ops", "graph", "check", "graphfile", "simulator", "memory", "emitter")
FLOAT_ROAD = (
    "layers",
    "model",
    "modelfile",
    "training",
    "calibration",
    "quantization",
    "lowering",
    "forward",
    "data",
    "net",
    "normalize",
    "losses",
    "optimizers",
    "schedules",
    "metrics",
    "ranges",
    "scales",
    "weights",
)
# A layer may import what stands before it, and its own modules.
ROADS = (
    ("errors", "schema", "progress", "files", "fixedpoint", "ops", "graph", "check", "graphfile", "simulator"),
    ("graph", "memory", "emitter", "engines", "board", "verifier", "report", "cli"),
    ("data", "layers", "model", "training", "report", "cli"),
)


def imports_of(path: Path) -> set[str]:
    """The parts of qnn (its direct children) that a module imports, outside `if TYPE_CHECKING`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("qnn."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "qnn":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("qnn.")}
    return found


def modules_of(part: str) -> list[Path]:
    folder, file = PACKAGE / part, PACKAGE / f"{part}.py"
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [file]


@pytest.mark.parametrize("part", INTEGER_ROAD)
def test_the_integer_road_knows_no_float_code(part: str) -> None:
    for path in modules_of(part):
        assert not imports_of(path) & set(FLOAT_ROAD), path


@pytest.mark.parametrize("road", ROADS, ids=lambda road: road[-1])
def test_nothing_reaches_back_up_its_road(road: tuple[str, ...]) -> None:
    for index, part in enumerate(road):
        for path in modules_of(part):
            assert not imports_of(path) & set(road[index + 1 :]), path


def test_processes_are_started_in_one_module_only() -> None:
    for path in PACKAGE.rglob("*.py"):
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        }
        assert path.name == "process.py" or "subprocess" not in names, path


def test_workers_are_started_in_one_module_only() -> None:
    """qnn.training.shards asks whether it is in one, nothing more."""
    for path in PACKAGE.rglob("*.py"):
        names = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert path.name in ("workers.py", "shards.py") or not {"multiprocessing", "concurrent"} & names, path


def test_simulating_loads_no_training_code() -> None:
    code = "import sys, qnn; qnn.simulate; print([m for m in sys.modules if m.startswith('qnn.')])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.split(".")[1] for name in ast.literal_eval(done.stdout)}
    assert not loaded & set(FLOAT_ROAD)
    assert "simulator" in loaded


def test_every_module_states_its_licence() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert path.read_text().startswith("# SPDX-License-Identifier: MIT\n"), path
    for path in (PACKAGE.parent / "c_runtime").glob("*.h"):
        assert path.read_text().startswith("/* SPDX-License-Identifier: 0BSD */\n"), path
