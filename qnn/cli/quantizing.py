# SPDX-License-Identifier: MIT
"""What qnn compile does with a float model: widths, ranges, the build, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qnn.balancing import choose
from qnn.cli.choices import tell_idle_pack
from qnn.cli.compiled import Compiled, tell
from qnn.cli.console import Output
from qnn.cli.equalize import candidates_for
from qnn.cli.loading import Request, Samples, load_rows
from qnn.compiler import check_build_folder, write_build
from qnn.errors import QnnError
from qnn.learned import default_bits, left_out_text
from qnn.mixed import Limits
from qnn.mixedbuild import How, MixedBuild, compile_mixed
from qnn.model import Model
from qnn.modelfile import load_model
from qnn.namedwidths import check_apart, layer_widths
from qnn.names import check_name, name_from
from qnn.ops.choices import Choices
from qnn.rounding import Rounding, rounding_effect
from qnn.scales import Scales
from qnn.units import wanted_units
from qnn.widths import EIGHT, EIGHT_NAME, MIXED, TRAINED, Widths

NOT_IDLE = ("--scales", "--bits", "--weight-bits", "--equalize")  # of calibration, where widths were trained
NARROW_ONLY = ("--rounding", "--bias-correction", "--clipping")  # what concerns weights of less than 8 bits


@dataclass(frozen=True, eq=False)
class Order:
    """What a command line asks for. written: the options of calibration that it has. pack: what --pack says."""

    model: Path
    out: Path
    name: str | None
    bits: str | None
    weight_bits: str | None
    scales: Path | None
    rows: Request
    method: str
    equalize: str
    reduce_range: str
    rounding: Rounding
    limits: Limits
    choices: Choices
    pack: str | None
    unit: str | None
    self_test: int
    written: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """Of every C symbol. Raises QnnError where it can be none."""
        return check_name(self.name) if self.name is not None else name_from(self.model.stem)

    def bits_for(self, network: Model) -> str:
        """What --bits says, or what it is where nobody says it."""
        return self.bits or (default_bits(network.learned) if self.weight_bits is None else EIGHT_NAME)

    def how(self, network: Model, samples: Samples) -> How:
        """What the build takes beside the network, its ranges and its widths."""
        units = wanted_units(self.unit, network.schema)
        return How(self.prefix, self.reduce_range, self.self_test, self.choices, units, self.rounding, samples.x)


def compile_float(output: Output, order: Order) -> None:
    """Quantize the float model of an order, write the build and tell what it came to."""
    check_build_folder(order.out, order.prefix, [order.model])
    network = load_model(order.model)
    bits = order.bits_for(network)
    widths = _widths(network, order, bits)
    if network.learned is not None and bits != TRAINED:
        named = [option for option in ("--bits", "--weight-bits") if option in order.written]
        output.warn(left_out_text(str(order.model), " and ".join(named)))
    samples = _samples(output, network, order, bits)
    how = order.how(network, samples)
    found = candidates_for(output, network, order.scales, samples.x, order.method, order.equalize, bits)
    built = None if bits == MIXED else lambda scales: how.graph(network, scales, widths)
    ranges, effect = choose(network, found, order.equalize, widths, built)
    mixed = _mixed(output, network, ranges, order.limits, samples, how) if bits == MIXED else None
    widths = mixed.widths if mixed else widths
    build = mixed.build if mixed else how.build(network, ranges, widths)
    removed = write_build(build, order.out)
    steps = rounding_effect(network, ranges, widths, samples.x, order.rounding.clipping)
    if not steps:
        _tell_idle(output, [option for option in NARROW_ONLY if option in order.written])
    tell_idle_pack(output, build.graph, order.pack)
    compiled = Compiled(network, bits, order.weight_bits, ranges, widths, build, effect, tuple(steps), mixed)
    tell(output, order.model, order.out, compiled, removed)


def _samples(output: Output, network: Model, order: Order, bits: str) -> Samples:
    """What is calibrated on: the rows of --data, else the samples that the model carries."""
    if order.rows.data is not None and (order.scales is None or bits == MIXED):
        return load_rows(output, order.rows, network.schema, network.record, "train")
    return Samples(network.samples, network.labels, str(order.model), "train")


def _widths(network: Model, order: Order, bits: str) -> Widths:
    """What --bits and --weight-bits name; 8 bits where the former says mixed. Raises QnnError where they contradict."""
    if bits == MIXED:
        if order.weight_bits is not None:
            check_apart(bits)
        return EIGHT
    found = layer_widths(network, bits, order.weight_bits, str(order.model))
    if bits == TRAINED:
        _refuse_idle(order.model, [option for option in order.written if option not in NOT_IDLE])
    return found


def _refuse_idle(model: Path, written: list[str]) -> None:
    """Raises QnnError for options that say nothing where widths, steps and ranges were trained."""
    if written:
        problem = f"was trained for its widths (--qat); {' and '.join(written)} cannot change its steps and ranges"
        raise QnnError(model, problem, "leave them out, or name other --bits")


def _tell_idle(output: Output, written: list[str]) -> None:
    """Say it of options that are for narrow weights where no layer has any."""
    if written:
        verb = "change" if len(written) > 1 else "changes"
        output.warn(f"{' and '.join(written)} {verb} nothing: no layer's weights have less than 8 bits")


def _mixed(output: Output, network: Model, ranges: Scales, limits: Limits, samples: Samples, how: How) -> MixedBuild:
    with output.progress("choosing widths") as progress:
        return compile_mixed(network, ranges, limits, samples.x, samples.y, how, progress)
