# SPDX-License-Identifier: MIT
"""What README.md shows works as it stands: each command of its blocks, in their order, and the C example."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from networks import Example, model_of
from test_import_operators import small_model

from qnn import toolchain
from qnn.calibration import calibrate
from qnn.compiler import compile_model
from qnn.data import load
from qnn.headroom import OFF, WEIGHTS
from qnn.net import PRESETS, Preset

README = Path(__file__).parent.parent / "README.md"
# Not run here: what installs, what make does (it runs this suite), what needs a download, a board or other machines;
# demo is below.
SKIPPED = (
    *("make ", "python -m venv", ".venv/bin/", "source ", "pip "),
    *(
        "qnn demo",
        "qnn train mnist",
        "qnn report mnist",
        "qnn compile cnn4.qnn",
        "qnn data fetch",
        "qnn flash",
        "qnn monitor",
        "qnn firmware",
    ),
    *("qnn emulate", "qnn serve", "qnn verify build/ --on board", "dask "),
)
QUICK = ("--epochs", "3")  # put behind each `qnn train`: the README's own take longer than a test may


def blocks() -> list[list[str]]:
    """The indented blocks of README.md, each as its lines."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", README.read_text(encoding="utf-8"), re.MULTILINE)
    return [[line[4:] for line in block.splitlines() if line.strip()] for block in found]


def commands() -> Iterator[str]:
    """The lines of blocks that start with a command."""
    for block in blocks():
        if block[0].startswith(("qnn ", *SKIPPED)):
            yield from block


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples read: a picture of a digit, a table of readings."""
    image = pytest.importorskip("PIL.Image")
    place = tmp_path_factory.mktemp("readme")
    (place / "keyword.tflite").write_bytes(small_model("reshape", 3))
    digits = load("digits")
    image.fromarray(digits.x[digits.test[0]][:, :, 0]).save(place / "digit.png")
    rng = np.random.default_rng(11)
    raw = rng.integers(0, 4096, (400, 3))
    degrees = (raw @ [0.01, -0.004, 0.002]).round(1)
    rows = [",".join(map(str, (*values.tolist(), label))) for values, label in zip(raw, degrees.tolist(), strict=True)]
    (place / "readings.csv").write_text("\n".join(["ntc,supply,reference,temperature", *rows]) + "\n")
    tenths = rng.integers((100, 20, 9900), (350, 90, 10400), (400, 3))
    dew = (tenths[:, 0] / 10 - (100 - tenths[:, 1]) / 5).round(2)
    rows = [f"{t / 10},{h},{p / 10},{d}" for (t, h, p), d in zip(tenths.tolist(), dew.tolist(), strict=True)]
    (place / "weather.csv").write_text("\n".join(["air,humidity,pressure,dewpoint", *rows]) + "\n")
    _air_quality(place / "AirQualityUCI.csv", rng)
    return place


def _air_quality(path: Path, rng: np.random.Generator) -> None:
    """A file as the README's second example reads it: decimal commas, semicolons, -200 for missing, empty columns."""
    names = "Date;Time;CO(GT);PT08.S1(CO);NMHC(GT);C6H6(GT);PT08.S2(NMHC);T;RH;AH;;"
    lines = []
    for row in range(400):
        first, second = rng.integers(600, 2000, 2).tolist()
        carbon = -200 if row % 50 == 7 else round(first / 500, 1)
        numbers = (carbon, first, -200, round(second / 100, 1), second, row / 10, 48.9, 0.7578)
        values = ";".join(str(number).replace(".", ",") for number in numbers)
        lines.append(f"10/03/2004;{row % 24:02d}.00.00;{values};;")
    path.write_text("\n".join([names, *lines]) + "\n")


def test_every_command_runs(folder: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("unicorn")
    monkeypatch.chdir(folder)
    ran = []
    for line in commands():
        if line.startswith(SKIPPED):
            continue
        words = shlex.split(line, comments=True)
        assert words[0] == "qnn", line
        code, out, err = qnn(*words[1:], *(QUICK if words[1] == "train" else ()))
        assert code == 0, f"{line}\n{err}"
        assert out, line
        ran.append(words[1])
    assert {"train", "compile", "simulate", "verify", "report", "run", "inspect", "calibrate", "doctor"} <= set(ran)
    for name in ("model.qnn", "build/digits.h", "report.html", "scales.json", "thermo/thermo.h"):
        assert (folder / name).is_file(), name


def test_the_c_example_compiles_and_agrees(folder: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code is the class of an empty image."""
    monkeypatch.chdir(folder)
    (example,) = (block for block in blocks() if block[0].startswith("#include"))
    if not Path("build", "digits.h").is_file():
        assert qnn("train", "digits", "--net", "dense 32 relu, dense 10", "-o", "model.qnn", *QUICK)[0] == 0
        assert qnn("compile", "model.qnn", "-o", "build/", "--name", "digits")[0] == 0
    Path("build", "main.c").write_text("\n".join(example) + "\n")
    compiler = toolchain.host_compiler()
    program = "main.exe" if sys.platform == "win32" else "main"
    flags = toolchain.host_flags(compiler, library=False)
    toolchain.compile_c(compiler, flags, ("main.c",), program, cwd=Path("build").resolve(), subject="README.md")
    answer = subprocess.run([str(Path("build", program).resolve())], check=False).returncode
    assert answer == json.loads(qnn("run", "build/", *["0"] * 64, "--json")[1])["results"][0]["index"]


def test_nothing_in_the_readme_is_passed_over() -> None:
    """A block is a command, the C example, a picture of the road or of memory, what the demo prints, or a recipe.

    tests/test_import_onnx.py follows the recipes of other tools.
    """
    recipes = ("from skl2onnx", "torch.onnx")
    kinds = [block[0] for block in blocks() if not block[0].startswith(("qnn ", "#include", *recipes, *SKIPPED))]
    assert [kind.split()[0] for kind in kinds] == ["float", "float", "0"]


def test_memory_is_drawn_as_the_readme_shows(folder: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same nodes at the same bytes; how much workspace a kernel needs may depend on the weights."""
    monkeypatch.chdir(folder)
    train, build, show = (
        next(line for line in commands() if line.startswith(words))
        for words in ('qnn train digits --net "conv', "qnn compile cnn.qnn", "qnn inspect cnn/")
    )
    if not Path("cnn").is_dir():
        assert [qnn(*shlex.split(train)[1:], *QUICK)[0], qnn(*shlex.split(build)[1:])[0]] == [0, 0]
    out = qnn(*shlex.split(show)[1:])[1].splitlines()
    (block,) = (block for block in blocks() if block[0].split()[0] == "0")
    start = next(index for index, line in enumerate(out) if line.endswith(block[0].split("  ")[-1]))
    shown, printed = ([line.split() for line in lines[1:5]] for lines in (block, out[start:]))
    assert len(block) == 5
    for ours, theirs in zip(shown, printed, strict=True):
        assert ours[0] == theirs[0]
        assert set(ours[1]) & set("ABC+") == set(theirs[1]) & set("ABC+")


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset.name.startswith("cnn")])
def test_named_networks_weigh_what_the_readme_says(preset: Preset, qnn: Run) -> None:
    row = re.search(rf"^\| `{preset.name}` \|(.*)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    weights, macs, most = (int(cell.replace(",", "")) for cell in row.group(1).split("|"))
    found = json.loads(qnn("inspect", "--net", preset.name, "--json")[1])
    assert (found["weight_bytes"], found["macs"]) == (weights, macs)
    model = model_of(Example("net", preset.text, (28, 28, 1), "uint8", 10))
    scales = calibrate(model, model.samples[:16])
    for reduce_range in (WEIGHTS, OFF):
        scratch = compile_model(model, scales, "net", reduce_range).manifest["ram"]["scratch"]
        assert most - 600 < scratch <= most


def test_the_demo_prints_what_the_readme_shows(folder: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line is there; the figures that no compiler and no BLAS changes are equal."""
    pytest.importorskip("unicorn")
    monkeypatch.chdir(folder)
    (block,) = (block for block in blocks() if block[0].startswith("float accuracy"))
    shown = {line[:36].strip(): line[36:].strip() for line in block}
    code, out, _ = qnn("demo")
    printed = dict(re.findall(r"^│ (.{34}) │ +(\S+(?: %)?) │$", out, re.MULTILINE))
    printed = {name.strip(): value for name, value in printed.items()}
    assert code == 0
    assert list(shown) == list(printed)
    for name in ("weights, bytes", "multiply-accumulates per inference", "samples verified", "mismatches (host, rv32)"):
        assert shown[name] == printed[name]
    for name in ("float accuracy", "int8 accuracy"):
        assert abs(float(shown[name][:-2]) - float(printed[name][:-2])) < 1.5
