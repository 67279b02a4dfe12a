# SPDX-License-Identifier: MIT
"""Random NETs over odd maps and sequences: trained, compiled, run under sanitizers and on RV32, or refused.

Alone: python tests/fuzz_nets.py NETWORKS [SEED].
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from learnable import dataset

from qnn.calibration import calibrate
from qnn.compiler import compile_model, write_build
from qnn.data.dataset import Dataset
from qnn.engines.host import ADDRESS_SANITIZED, SANITIZED, HostEngine
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.modelfile import load_model
from qnn.net import net_text, parse_net
from qnn.schema import Feature, Schema
from qnn.simulator import simulate, tensor_names
from qnn.training import TrainOptions, train

SAMPLES, TRIED = 40, 16  # of the data; of those that the C is run on
SIZES, STRIDES = (1, 1, 2, 3, 3, 4, 5, 7), ("1", "2", "2x1", "3", "1x3", "5")
WIDTHS = (1, 1, 2, 3, 4, 5, 8, 9, 16, 33)
PADDINGS = (" same", " same", " same", "", " valid", " pad 1", " pad 0", " pad 0 1 0 1", " pad 1 0 2 1")
ACTS = ("", " relu", " bn relu", " bn", " relu6", " clamp -1 1", " bn clamp 0 0.5", " leaky_relu 0.3", " tanh")
ACTS += (" bn sigmoid", " relu bn", " dropout 0.2")
PLAIN = ("bn", "relu", "tanh", "dropout 0.1", "pad 1", "pad 0 1 0 2")
ENDS = ("gap, dense", "dense", "dense 7 relu, dense", "dense 5 bn relu, dense", "flatten, dense", "conv 1x1 {}, gap")
ENDS += ("dense 6, concat(linear; dense 3 relu; dense 2), dense", "gap, residual(dense 9 relu, dense 4), dense")


@dataclass(frozen=True)
class Outcome:
    """A network, and why it was refused ("": it was not), in which tensors which engine differed from the simulator."""

    net: str
    shape: tuple[int, ...]
    refused: QnnError | None = None
    wrong: tuple[str, ...] = ()


class Maker:
    """Chooses at random."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, *choices: object) -> str:
        """One of the choices, as text."""
        return str(choices[int(self.rng.integers(len(choices)))])

    def chance(self, part: float) -> bool:
        """True in that part of the cases."""
        return bool(self.rng.random() < part)

    def layers(self, most: int, sequence: bool, depth: int = 0) -> str:
        """One to `most` layers or blocks."""
        count = int(self.rng.integers(1, most + 1))
        return ", ".join(self.layer(sequence, depth) for _ in range(count))

    def layer(self, sequence: bool, depth: int) -> str:
        """A layer with what stands behind it, or a block of layers."""
        if depth < 2 and self.chance(0.25):
            return self.block(sequence, depth) + self.one(*ACTS)
        kind = int(self.rng.integers(8))
        if kind == 0:
            return self.one(*PLAIN[:-2], *(("pad 0 0 1 2",) if sequence else PLAIN[-2:]))
        if kind <= 2:
            text = f"{self.one('maxpool', 'avgpool')} {self.one(1, 2, 3) if sequence else self.size()}{self.slide()}"
        elif kind == 3:
            multiplier = self.one("", "", " mult 2", " mult 3")
            text = f"depthwise {self.one(1, 3, 5) if sequence else self.size()}{multiplier}{self.slide()}"
        elif sequence:
            stride = self.one("", "", " stride 2", " stride 3")
            text = f"conv1d {self.one(1, 2, 3, 5, 9)} {self.one(*WIDTHS)}{stride}{self.one(' same', '', ' pad 1')}"
        else:
            text = f"conv {self.size()} {self.one(*WIDTHS)}{self.slide()}"
        return text + self.one(*ACTS)

    def block(self, sequence: bool, depth: int) -> str:
        """residual(...) or concat(...; ...)."""
        if self.chance(0.5):
            return f"residual({self.layers(2, sequence, depth + 1)})"
        count = int(self.rng.integers(2, 4))
        parts = [self.layers(2, sequence, depth + 1) if self.chance(0.75) else "linear" for _ in range(count)]
        return f"concat({'; '.join(parts)})"

    def size(self) -> str:
        """A kernel."""
        return f"{self.one(*SIZES)}x{self.one(*SIZES)}"

    def slide(self) -> str:
        """A stride, also larger than the kernel, and a padding."""
        stride = f" stride {self.one(*STRIDES)}" if self.chance(0.4) else ""
        return stride + self.one(*PADDINGS)

    def data(self, sequence: bool) -> Dataset:
        """Noise with classes or targets: maps of odd sizes, down to one pixel, or flat samples."""
        rng, classes = self.rng, int(self.one(2, 3, 4)) if self.chance(0.7) else 0
        sides = tuple(int(self.one(1, 2, 3, 5, 6, 7, 9, 12)) for _ in range(2))
        shape = (int(self.one(2, 3, 7, 12, 24, 30)),) if sequence else (*sides, int(self.one(1, 1, 2, 3, 5, 17)))
        dtype = self.one("int32", "uint8") if sequence else "uint8"
        low, high = (0, 256) if dtype == "uint8" else (-900, 3000)
        x = (rng.integers(low, high, (SAMPLES, *shape)) // int(self.one(1, 1, 1, 40))).astype(dtype)
        y = np.arange(SAMPLES) % classes if classes else rng.normal(0, 50, (SAMPLES, 2))
        features = tuple(Feature(f"f{i}") for i in range(shape[0])) if sequence else ()
        names = tuple(f"n{i}" for i in range(classes or 2))
        if classes:
            return dataset(Schema(shape, dtype, features, "classification", names, (), ()), x, y)
        return dataset(Schema(shape, dtype, features, "regression", (), names, (2, 2)), x, y)


def attempt(seed: int) -> Outcome:
    """One random network on data of its own, all the way."""
    maker = Maker(seed)
    sequence = maker.chance(0.3)
    data = maker.data(sequence)
    shape, outputs = data.schema.shape, len(data.schema.classes or data.schema.targets)
    channels = 2 if shape[0] % 2 == 0 and maker.chance(0.5) else 1
    start = f"reshape {shape[0] // channels}x{channels}, " if sequence else ""
    end = maker.one(*ENDS).format(outputs)
    net = start + maker.layers(4, sequence) + ", " + (end.replace("conv 1x1", "conv1d 1") if sequence else end)
    with tempfile.TemporaryDirectory(prefix="qnn-") as name:
        folder = Path(name)
        try:
            items = parse_net(net, data.schema)
            assert parse_net(net_text(items), data.schema) == items
            train(data, net, TrainOptions(epochs=1, batch=int(maker.one(4, 16)), seed=seed), folder / "model.qnn")
            model = load_model(folder / "model.qnn")
            scales = calibrate(model, model.samples, maker.one("mse", "minmax", "percentile"))
            build = compile_model(model, scales, "net", maker.one("auto", "weights", "off"))
        except QnnError as error:
            return Outcome(net, shape, error)
        write_build(build, folder / "build")
        graph = load_graph(folder / "build" / "model.qnn")
        return Outcome(net, shape, None, differences(folder / "build", graph, samples(maker.rng, data.x)))


def samples(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Some of the data, some noise over the whole range, both extremes."""
    kind = np.iinfo(x.dtype)
    noise = rng.integers(kind.min, kind.max, (TRIED // 2, *x.shape[1:]), dtype=x.dtype, endpoint=True)
    ends = np.stack([np.full(x.shape[1:], value, x.dtype) for value in (kind.min, kind.max)])
    return np.concatenate([x[: TRIED // 2], noise, ends])


def differences(build: Path, graph: Graph, x: np.ndarray) -> tuple[str, ...]:
    """Which tensors of the host's C under both sanitizers, and of RV32's, are not the simulator's."""
    expected = simulate(graph, x, keep=tensor_names(graph))
    found: list[str] = []
    host = HostEngine(build, interface_of(graph), flags=("-O1", *SANITIZED, *ADDRESS_SANITIZED), program=True)
    for engine in (host, UnicornEngine(build, interface_of(graph))):
        with closing(engine):
            got = engine.run(x, expected[graph.quantized_input]) | engine.trace(x)
        names = tensor_names(graph)[1:]
        found += [f"{engine.name} {name}" for name in names if not np.array_equal(got[name], expected[name])]
    return tuple(found)


def main() -> int:
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    done, wrong = 0, 0
    while done < count:
        outcome = attempt(seed)
        print(seed, outcome.shape, outcome.net, "|", outcome.refused or outcome.wrong or "equal", flush=True)
        done, seed, wrong = done + (outcome.refused is None), seed + 1, wrong + bool(outcome.wrong)
    print(f"{done} networks, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
