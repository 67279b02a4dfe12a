# SPDX-License-Identifier: MIT
"""What qnn compile tells of a build: its nodes, what each step brought, how close it is to the float network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from qnn.balancing import Effect
from qnn.cli.console import Output
from qnn.cli.mixed import show_mixed, show_problem
from qnn.compiler import Build
from qnn.emitter.notes import GOAL_TEXTS, STEADY_TEXT
from qnn.fidelity import Fidelity, coarse_text, fidelity
from qnn.layersqnr import SQNR_COLUMNS, build_sqnr, sqnr_document, sqnr_rows
from qnn.mixedbuild import MixedBuild
from qnn.model import Model
from qnn.ops.choices import SPEED
from qnn.scales import Scales
from qnn.training.fakenodes import as_trained
from qnn.widths import MIXED, TRAINED, Widths, bits_text

NOT_AS_TRAINED = "leave --scales out, or train it again"


@dataclass(frozen=True)
class Compiled:
    """A build and how it came about.

    bits, weight_bits: what these options say. effect: of equalization.
    steps: SQNR in dB at the output by each step of rounding. mixed: the choice of widths, where they are mixed.
    """

    network: Model
    bits: str
    weight_bits: str | None
    ranges: Scales
    widths: Widths
    build: Build
    effect: Effect | None
    steps: tuple[tuple[str, float], ...]
    mixed: MixedBuild | None

    @property
    def reference(self) -> Model:
        """What the build should answer as: the float network, or where widths were trained, the network as trained."""
        return as_trained(self.network) if self.bits == TRAINED else self.network

    def sqnr(self) -> tuple[tuple[str, float], ...]:
        """dB of each tensor against the float network's; () where the build is not to answer as that."""
        if self.bits == TRAINED:
            return ()
        return build_sqnr(self.network, self.ranges, self.build.graph, self.widths, self.network.samples)


def tell(output: Output, model: Path, out: Path, compiled: Compiled, removed: Path | None) -> None:
    """Print it, or give it as one JSON object; removed: a header of the build that was in `out` before.

    Raises typer.Exit with code 1 where no widths meet the limits.
    """
    network, build, mixed = compiled.reference, compiled.build, compiled.mixed
    show_build(output, build, out)
    _show_steps(output, compiled)
    if mixed is not None:
        show_mixed(output, model, mixed)
    if removed is not None:
        output.say(f"removed {removed}, the header of the build that was there")
    close = fidelity(network, build.graph, network.samples, network.labels)
    sqnr = compiled.sqnr()
    if close is not None and compiled.bits == TRAINED:
        _show_trained(output, model, network, close)
    elif close is not None:
        show_fidelity(output, model, compiled, close, sqnr)
    extra = {"fidelity": close.document() if close else None, "sqnr": sqnr_document(sqnr)}
    output.emit({**_document(compiled, out), **extra})
    if mixed is not None and mixed.problem:
        show_problem(model, mixed)
        raise typer.Exit(1)


def _show_trained(output: Output, model: Path, network: Model, found: Fidelity) -> None:
    """How close the build is to the network as it was trained, and what that reached; a warning where it is not."""
    output.say(f"against the network as it was trained, on {found}")
    if network.learned is not None and network.learned.reached is not None:
        output.say(f"training reported {network.learned.reached}")
    if found.poor:
        output.warn(f"{model}: the build does not answer as the network was trained ({found}); {NOT_AS_TRAINED}")


def _show_steps(output: Output, compiled: Compiled) -> None:
    """What equalization and the steps of rounding brought."""
    if compiled.effect is not None:
        output.say(str(compiled.effect))
    if compiled.steps:
        ratios = ", ".join(f"{name} {ratio:.1f} dB" for name, ratio in compiled.steps)
        output.say(f"SQNR at the output by rounding: {ratios} (before --reduce-range)")


def _document(compiled: Compiled, out: Path) -> dict[str, object]:
    """The manifest, and what each step brought."""
    manifest, effect = compiled.build.manifest, compiled.effect
    document: dict[str, object] = {**manifest, "header": str(out / manifest["header"])}
    document["equalization"] = effect.document() if effect else None
    if compiled.steps:
        document["rounding"] = [{"step": name, "sqnr_db": ratio} for name, ratio in compiled.steps]
    if compiled.mixed is not None:
        document["mixed"] = compiled.mixed.document()
    return document


def show_fidelity(
    output: Output, model: Path, compiled: Compiled, found: Fidelity, sqnr: Sequence[tuple[str, float]]
) -> None:
    """How close the build is to the float network, layer by layer and at its end; a warning where that is not close."""
    rows = sqnr_rows(compiled.build.graph, sqnr)
    output.table("Where precision is lost (signal to noise against float)", SQNR_COLUMNS, rows)
    output.say(f"{bits_text(compiled.bits, compiled.weight_bits)} bits against float on {found}")
    text = coarse_text(found, sqnr, compiled.bits, compiled.weight_bits)
    if text is not None and (compiled.bits != MIXED or found.collapse):  # mixed widths have limits of their own
        output.warn(f"{model}: {text}")


def show_build(output: Output, build: Build, folder: Path) -> None:
    """What was built: one line a node, then the sums."""
    manifest = build.manifest
    rows = []
    for node in manifest["nodes"]:
        bound = node["accumulator"]
        shape = "x".join(map(str, node["shape"]))
        proof = f"{bound[0]:,} .. {bound[1]:,}" if bound else ""
        count = "" if node["instructions"] is None else f"{node['instructions']:,}"
        numbers = (f"{node['macs']:,}", count, f"{node['weights']:,}", f"{node['tables']:,}")
        memory = node["memory"] if node["weights"] + node["tables"] else ""
        rows.append((node["name"], node["operator"], f"{node['dtype']}[{shape}]", *numbers, memory, proof))
    columns = (
        "node",
        "operator",
        "output",
        "MACs",
        "instructions, about",
        "weights B",
        "tables B",
        "in",
        "accumulator, proven",
    )
    output.table(f"{folder / manifest['header']}", columns, rows)
    flash, ram = manifest["flash"], manifest["ram"]
    output.say(
        f"flash without code {flash['total']:,} bytes (weights {flash['weights']:,}, tables {flash['tables']:,}, "
        f"structs and padding {flash['structs']:,}), scratch {ram['scratch']:,} bytes, {manifest['macs']:,} MACs"
    )
    if manifest["instructions"]["predicted"] is not None:
        output.say(instructions_text(manifest["instructions"]))
    output.say(manifest["placement"]["text"])
    if manifest["optimize"] != SPEED:
        output.say(f"made {GOAL_TEXTS[manifest['optimize']]}")
    if manifest["constant_time"]:
        output.say(f"timing: {STEADY_TEXT}")


def instructions_text(found: Mapping[str, Any]) -> str:
    """What a manifest says of the instructions of an inference."""
    usual, most = found["predicted_usual"], found["predicted"]
    less = "" if usual == most else f", {usual:,} for inputs like the samples, whose zeros are skipped"
    return f"about {most:,} RV32 instructions{less} (predicted for {found['compiler']} -O2; verify counts them)"


def show_kernels(output: Output, manifest: Mapping[str, Any]) -> None:
    """Which kernel each node has, and why."""
    rows = [(node["name"], node["kernel"], node["reason"]) for node in manifest["nodes"]]
    output.table("Kernels", ("node", "kernel", "why"), rows)
