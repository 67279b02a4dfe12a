# SPDX-License-Identifier: MIT
"""The jobs of a report: networks are trained, scored in floats, and made into rows."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from qnn.balancing import Candidates, Effect, candidates, choose
from qnn.calibration import DEFAULT_METHOD
from qnn.compiler import build_graph
from qnn.data import LoadOptions, load
from qnn.data.request import Samples
from qnn.errors import QnnError
from qnn.fidelity import coarse_text
from qnn.learned import learned_of
from qnn.mixed import Limits
from qnn.mixedbuild import How
from qnn.model import MAX_STORED_SAMPLES, Model
from qnn.modelfile import model_bytes
from qnn.namedwidths import layer_widths
from qnn.ops.choices import Choices
from qnn.progress import Progress
from qnn.report.baseline import labels_of, reference_of
from qnn.report.job import PLACE, File, Rows, graph_in, network_of
from qnn.report.measure import measure, measure_build
from qnn.report.row import row_document
from qnn.report.variant import Variant, equalization_of
from qnn.scales import Scales
from qnn.schema import DataRecord, Schema
from qnn.training import TrainOptions, train
from qnn.widths import MIXED, TRAINED


@dataclass(frozen=True)
class Measured:
    """The result of a row's job: the row as JSON, lines for people, and whether the C is exact.

    failures: lines on what differs; notes, warnings: lines on what was chosen and on what may be too coarse.
    """

    row: dict[str, Any]
    ok: bool
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainJob:
    """A network to be trained. record: which samples it is to learn from.

    start: the float network that quantization-aware training (options.qat) begins with, else None.
    """

    name: str = field(metadata=PLACE)
    data: str
    record: DataRecord
    schema: Schema
    net: str
    load: LoadOptions = field(metadata=PLACE)
    options: TrainOptions
    start: File | None = None

    heavy = True

    @property
    def title(self) -> str:
        """A few words for people."""
        return f"train {self.name}, seed {self.options.seed}"

    def run(self, content: bytes, progress: Progress) -> dict[str, Any]:
        """The bytes of the trained model, in base64."""
        dataset = load(self.data, self.load)
        if (dataset.record, dataset.schema) != (self.record, self.schema):
            problem = "has other samples here than where the report was started, or has changed meanwhile"
            raise QnnError(self.data, problem, "give each machine the same data under the same name")
        begun = None
        if self.start is not None:
            self.start.check(content)
            begun = network_of(content, self.start.path)
        result = train(dataset, self.net, self.options, start=begun, progress=progress)
        if result.model is None:
            raise QnnError(self.data, "gave no model", "use more samples")
        return {"model": base64.b64encode(model_bytes(result.model)).decode("ascii")}


@dataclass(frozen=True)
class ReferenceJob:
    """A network to be scored in floats."""

    name: str = field(metadata=PLACE)
    model: File
    rows: Rows

    heavy = False

    @property
    def title(self) -> str:
        """A few words for people."""
        return f"{self.name}, float"

    def run(self, content: bytes, progress: Progress) -> dict[str, Any]:
        """The float network's part of the report and the baseline's, null where there is none."""
        self.model.check(content)
        network = network_of(content, self.model.path)
        found = reference_of(network, self.rows.read(network.schema, network.record))
        return {"float": found.document, "baseline": found.baseline}


@dataclass(frozen=True)
class RowJob:
    """A network to be compiled as `variant` says, scored on `rows`, measured and verified.

    prefix: of C symbols. calibration: the rows to calibrate on where the model carries none. scales: ranges, where they
    are given. limits: of mixed widths.
    """

    name: str = field(metadata=PLACE)
    prefix: str
    model: File
    rows: Rows
    variant: Variant
    limits: Limits
    scales: Scales | None = None
    calibration: Rows | None = None

    heavy = True

    @property
    def title(self) -> str:
        """A few words for people."""
        return f"{self.name}, {self.variant.bits} bits"

    def run(self, content: bytes, progress: Progress) -> dict[str, Any]:
        """A Measured as JSON."""
        self.model.check(content)
        network = network_of(content, self.model.path)
        if self.calibration is not None:
            network = with_samples(network, self.calibration.read(network.schema, network.record))
        samples = self.rows.read(network.schema, network.record)
        how = How(self.prefix, choices=self.variant.choices, rounding=self.variant.rounded_by)
        ranges, effect = self._ranges(network, how)
        y = labels_of(samples)
        bits, weight_bits = self.variant.bits, self.variant.weight_bits
        row = measure(network, ranges, how, bits, samples.x, y, progress, self.limits, weight_bits)
        row = replace(row, equalization=effect)
        warnings = []
        if row.fidelity is not None and row.fidelity.collapse:
            warnings.append(coarse_text(row.fidelity, row.sqnr, bits, weight_bits) or "")
        return asdict(
            Measured(
                {**row_document(row, network, samples.x, y), **self.variant.document()},
                row.verification.ok,
                (str(effect),) if effect is not None else (),
                tuple(warnings),
                row.verification.failures,
            )
        )

    def _ranges(self, network: Model, how: How) -> tuple[Scales, Effect | None]:
        """The ranges to quantize by, and what equalization brings."""
        bits, equalize = self.variant.bits, equalization_of(self.variant)
        if self.scales is not None:
            return self.scales, None
        if bits == TRAINED:
            return learned_of(network.learned, self.model.path).scales, None
        found = _candidates(network, self.variant.method or DEFAULT_METHOD, equalize)
        if bits == MIXED:
            return choose(network, found, equalize)
        widths = layer_widths(network, bits, self.variant.weight_bits)
        return choose(network, found, equalize, widths, lambda scales: how.graph(network, scales, widths))


@dataclass(frozen=True)
class ImportedJob:
    """A model that was quantized elsewhere, to be scored, measured and verified as it is."""

    name: str = field(metadata=PLACE)
    model: File
    rows: Rows
    bits: str
    choices: Choices

    heavy = True

    @property
    def title(self) -> str:
        """A few words for people."""
        return f"{self.name}, {self.bits}"

    def run(self, content: bytes, progress: Progress) -> dict[str, Any]:
        """A Measured as JSON."""
        self.model.check(content)
        graph = replace(graph_in(content, self.model.path), choices=self.choices)
        samples = self.rows.read(graph.schema, graph.record)
        y = labels_of(samples)
        row = measure_build(build_graph(graph, None, None), self.bits, samples.x, y, progress)
        document = {**row_document(row, None, samples.x, y), **chosen_document(self.choices)}
        return asdict(Measured(document, row.verification.ok, failures=row.verification.failures))


def chosen_document(choices: Choices) -> dict[str, Any]:
    """What a row says of how its C was made."""
    return {"optimize": choices.optimize, "constant_time": choices.constant_time, "pack": choices.pack}


def with_samples(network: Model, samples: Samples) -> Model:
    """`network` carrying evenly spaced ones of these samples, as many as a model may, and their labels."""
    count = min(len(samples.x), MAX_STORED_SAMPLES)
    rows = np.unique(np.linspace(0, len(samples.x) - 1, count).round().astype(np.int64))
    return replace(network, samples=samples.x[rows], labels=None if samples.y is None else samples.y[rows])


@lru_cache(maxsize=4)
def _candidates(network: Model, method: str, equalize: str) -> Candidates:
    """Widths of one network share their calibration."""
    return candidates(network, network.samples, method, equalize)
