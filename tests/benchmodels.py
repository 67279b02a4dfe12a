# SPDX-License-Identifier: MIT
"""The models whose costs on RV32 have a budget, and how those costs are measured: for test_budgets and bench/run.py."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np
from golden import FOLDER
from networks import Example, model_of

from qnn.calibration import calibrate
from qnn.compiler import Build, compile_model, write_build
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.files import write_whole
from qnn.headroom import AUTO, OFF, WEIGHTS
from qnn.instructions.table import table_name
from qnn.model import Model
from qnn.modelfile import load_model
from qnn.ops.choices import BALANCED, SIZE, SPEED, Choices
from qnn.scales import load_scales
from qnn.toolchain import GCC, ZIG, ZIGLANG, Compiler
from qnn.widths import widths_named

BUDGETS = Path(__file__).parent / "budgets.json"
TOLERANCE = 0.02
NAMED = {GCC: GCC, ZIG: ZIGLANG}
CALIBRATION_SAMPLES = 64


@dataclass(frozen=True)
class BenchModel:
    """A model with a budget: a network with random weights (`example`), else the committed model of that name.

    reduce_range, bits, optimize, constant_time: as of qnn compile. instructions, flash: what is promised whatever the
    budget says: the most RV32 instructions per inference, and bytes of weights and code.
    """

    name: str
    example: Example | None = None
    instructions: int | None = None
    flash: int | None = None
    reduce_range: str = AUTO
    bits: str = "8"
    optimize: str = SPEED
    constant_time: bool = False


def layer(name: str, net: str, shape: tuple[int, ...], reduce_range: str = WEIGHTS, bits: str = "8") -> BenchModel:
    """One layer, and the little that makes a classifier of it."""
    example = Example(name.replace(" ", "_"), f"{net}, gap, dense 10", shape, "uint8", 10)
    return BenchModel(name, example, reduce_range=reduce_range, bits=bits)


# The shapes that others publish figures for: keyword spotting and image classification of the MLPerf Tiny benchmark.
DS_CNN = "conv 10x4 64 stride 2 same relu, " + "depthwise 3x3 same relu, conv 1x1 64 relu, " * 4 + "gap, dense 12"
RESNET_8 = (
    "conv 3x3 16 same relu, "
    "residual(conv 3x3 16 relu, conv 3x3 16) relu, "
    "residual(conv 3x3 32 stride 2 relu, conv 3x3 32) relu, "
    "residual(conv 3x3 64 stride 2 relu, conv 3x3 64) relu, gap, dense 10"
)
MLP = Example("mlp", "dense 64 relu, dense 10", (28, 28, 1), "uint8", 10)
WIDE = ("w16a8", "w8a16", "16")
READINGS = Example("readings", "dense 64 relu, dense 64 tanh, dense", (32,), "int32", 3)
MAPS = Example(
    "maps", "conv 3x3 8 same relu, depthwise 3x3 same relu, conv 1x1 16 relu, gap, dense", (12, 12, 3), "uint8", 10
)
MODELS = (
    BenchModel("784-64-10", MLP, 260_000, 54_000),
    BenchModel("64-32-10", Example("small", "dense 32 relu, dense 10", (8, 8, 1), "uint8", 10)),
    BenchModel("12-8-4-1", Example("tiny", "dense 8 relu, dense 4 relu, dense 1", (12,), "int32", 0, 1), 1_500, 1_300),
    BenchModel(
        "autoencoder",  # 640-128-128-128-128-8-128-128-128-128-640
        Example(
            "autoencoder",
            ", ".join(f"dense {n} relu" for n in (*(128,) * 4, 8, *(128,) * 4)) + ", dense 640",
            (640,),
            "uint8",
            0,
            640,
        ),
        reduce_range=WEIGHTS,
    ),
    BenchModel("digits"),
    BenchModel("thermistor"),
    layer("conv 3x3 16", "conv 3x3 16 same relu", (16, 16, 16)),
    layer("conv 3x3 64", "conv 3x3 64 same relu", (8, 8, 64)),
    layer("conv 1x1 64", "conv 1x1 64 relu", (8, 8, 64)),
    layer("conv 3x3 64 full", "conv 3x3 64 same relu", (8, 8, 64), OFF),
    layer("conv 1x1 64 full", "conv 1x1 64 relu", (8, 8, 64), OFF),
    layer("conv 3x3 16 w4a8", "conv 3x3 16 same relu", (16, 16, 16), bits="w4a8"),
    layer("conv 3x3 64 w4a8", "conv 3x3 64 same relu", (8, 8, 64), bits="w4a8"),
    layer("first 5x5 w4a8", "conv 5x5 6 stride 2 relu", (28, 28, 1), bits="w4a8"),
    layer("conv 3x3 64 w3a8", "conv 3x3 64 same relu", (8, 8, 64), bits="w3a8"),
    BenchModel("784-64-10 w3a8", MLP, bits="w3a8"),
    layer("first 3x3", "conv 3x3 16 same relu", (28, 28, 1)),
    layer("first 10x4", "conv 10x4 64 stride 2 same relu", (49, 10, 1)),
    layer("depthwise 3x3", "depthwise 3x3 same relu", (25, 5, 64)),
    BenchModel("ds-cnn", Example("ds_cnn", DS_CNN, (49, 10, 1), "uint8", 12), reduce_range=WEIGHTS),
    BenchModel("resnet-8", Example("resnet", RESNET_8, (32, 32, 3), "uint8", 10), reduce_range=WEIGHTS),
    *(BenchModel(f"readings {bits}", READINGS, bits=bits) for bits in WIDE),
    *(BenchModel(f"maps {bits}", MAPS, bits=bits) for bits in WIDE),
    BenchModel("784-64-10 balanced", MLP, optimize=BALANCED),
    BenchModel("784-64-10 size", MLP, optimize=SIZE),
    BenchModel("maps size", MAPS, optimize=SIZE),
    BenchModel("784-64-10 constant time", MLP, constant_time=True),
    BenchModel("maps constant time", MAPS, constant_time=True),
)


@dataclass(frozen=True)
class Costs:
    """What one inference costs on RV32: instructions on the input with every element at its maximum and on a typical
    one; bytes of code, of stack, of scratch memory."""

    maximum: int
    typical: int
    code: int
    stack: int
    scratch: int


@cache
def build_of(model: BenchModel) -> tuple[Build, np.ndarray]:
    """The compiled model, and two raw samples (2, *shape): every element at its maximum, and a typical one."""
    if model.example is None:
        folder = FOLDER / model.name
        source = load_model(folder / "model.qnn")
        build = compile_model(source, load_scales(folder / "scales.json"), model.name, widths=widths_named(model.bits))
    else:
        source = bell_shaped(model.example)
        scales, widths = calibrate(source, source.samples), widths_named(model.bits)
        choices = Choices(optimize=model.optimize, constant_time=model.constant_time)
        build = compile_model(source, scales, model.example.name, model.reduce_range, widths=widths, choices=choices)
    typical = source.samples[0]
    return build, np.stack([np.full_like(typical, np.iinfo(typical.dtype).max), typical])


def bell_shaped(example: Example) -> Model:
    """The example with normally distributed weights; images have their ink in the middle, like written digits."""
    model = model_of(example)
    if len(example.shape) != 3:
        return model
    rng = np.random.default_rng(1)
    samples = np.zeros((CALIBRATION_SAMPLES, *example.shape), np.uint8)
    middle = tuple(slice(size // 4, size - size // 4) for size in example.shape[:2])
    samples[:, middle[0], middle[1]] = rng.integers(1, 256, samples[:, middle[0], middle[1]].shape, dtype=np.uint8)
    return replace(model, samples=samples)


def costs_of(model: BenchModel, compiler: Compiler) -> Costs:
    """The model's Costs as `compiler` translates it. Raises QnnError where that is impossible."""
    build, x = build_of(model)
    with tempfile.TemporaryDirectory(prefix="qnn-") as folder:
        write_build(build, Path(folder))
        with closing(UnicornEngine(Path(folder), interface_of(build.graph), compiler)) as engine:
            measurement = engine.measure(x)
    maximum, typical = measurement.instructions.tolist()
    stack = measurement.stack_bytes or 0
    return Costs(maximum, typical, engine.sizes.code, stack, build.manifest["ram"]["scratch"])


def budget_name(compiler: Compiler) -> str:
    """How tests/budgets.json calls the compiler: its family and the part of its version that changes its code."""
    return table_name(NAMED.get(compiler.kind, compiler.kind), compiler.version)


def load_budgets() -> dict[str, dict[str, Costs]]:
    """The committed budgets: by compiler (see budget_name), then by model."""
    return {
        compiler: {model: Costs(**costs) for model, costs in models.items()}
        for compiler, models in json.loads(BUDGETS.read_text()).items()
    }


def save_budgets(budgets: Mapping[str, Mapping[str, Costs]]) -> None:
    """Write the budgets file."""
    lines = []
    for compiler, models in sorted(budgets.items()):
        rows = ",\n".join(f"  {json.dumps(model)}: {json.dumps(asdict(costs))}" for model, costs in models.items())
        lines.append(f" {json.dumps(compiler)}: {{\n{rows}\n }}")
    write_whole(BUDGETS, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def excesses(model: BenchModel, costs: Costs, budget: Costs | None) -> list[str]:
    """What is over the budget by more than TOLERANCE, or over what is promised; each told in words."""
    found = []
    for field in fields(Costs):
        cost, allowed = getattr(costs, field.name), getattr(budget, field.name) if budget else None
        if allowed is not None and cost > allowed * (1 + TOLERANCE):
            found.append(f"{field.name} {cost:,} is {100 * (cost / allowed - 1):.1f} % over its budget of {allowed:,}")
    most = max(costs.maximum, costs.typical)
    if model.instructions is not None and most > model.instructions:
        found.append(f"{most:,} instructions are more than the {model.instructions:,} promised")
    flash = build_of(model)[0].manifest["flash"]["weights"] + costs.code
    if model.flash is not None and flash > model.flash:
        found.append(f"{flash:,} bytes of weights and code are more than the {model.flash:,} promised")
    return found
