# SPDX-License-Identifier: MIT
"""compile: a float model becomes a build folder with header, integer graph, scales, manifest and example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from qnn.emitter.ccheck import check_c
from qnn.emitter.example import TEMPLATE, example_text
from qnn.emitter.header import first_line, header_text
from qnn.emitter.manifest import manifest
from qnn.emitter.selftest import self_test_text, spaced_samples
from qnn.errors import QnnError
from qnn.files import StrPath, write_all_whole
from qnn.graph import Graph
from qnn.graphfile import INTEGER_MODEL, graph_bytes
from qnn.headroom import AUTO, layers_with_headroom
from qnn.memory import plan_memory
from qnn.model import Model
from qnn.ops.choices import DEFAULT, Choices
from qnn.outputs import Kind, check_replaceable, head_of, json_of
from qnn.quantization import quantize
from qnn.rounding import BEST, Rounding, rounded
from qnn.scales import SCALES, Scales, scales_bytes
from qnn.sparsity import with_zero_groups
from qnn.units import in_units
from qnn.widths import EIGHT, Widths

MANIFEST = Kind("the manifest of a build", lambda path: "graph_sha256" in json_of(path))
HEADER = Kind("a header that qnn wrote under that name", lambda path: head_of(path).startswith(first_line(path.stem)))
EXAMPLE = Kind("the example of a build", lambda path: head_of(path).startswith(TEMPLATE.split("#")[0]))
KINDS = (("example.c", EXAMPLE), ("manifest.json", MANIFEST), ("model.qnn", INTEGER_MODEL), ("scales.json", SCALES))


@dataclass(frozen=True, eq=False)
class Build:
    """A compiled model in memory: the graph, the files' contents by name, the manifest."""

    graph: Graph
    files: tuple[tuple[str, bytes], ...]
    manifest: Mapping[str, Any]


def compile_model(
    model: Model,
    scales: Scales,
    name: str,
    reduce_range: str = AUTO,
    self_test: int = 0,
    widths: Widths = EIGHT,
    choices: Choices = DEFAULT,
    units: Sequence[int | None] = (),
    rounding: Rounding = BEST,
    samples: np.ndarray | None = None,
) -> Build:
    """The build of `model` with C prefix `name`; equal inputs give equal bytes.

    reduce_range: which layers' weights leave a bit of headroom for the fast kernels, one of headroom.CHOICES.
    self_test: how many of the model's samples the header carries with their outputs.
    widths: of weights and activations. choices: how its C is made. units: see units.in_units.
    rounding: of weights of less than 8 bits, on raw `samples` (N, *shape), or those that the model carries.
    Raises QnnError where the model cannot be quantized, keeps fewer samples than that or has no layer that `choices`
    names, or if the C were more than integer code (a bug of qnn).
    """
    graph = integer_graph(model, scales, name, reduce_range, widths, rounding, samples)
    graph = in_units(replace(graph, choices=choices), model, units)
    vectors = spaced_samples(model.samples, self_test)
    return build_graph(graph, scales, model.samples[0] if len(model.samples) else None, vectors)


def integer_graph(
    model: Model,
    scales: Scales,
    name: str,
    reduce_range: str = AUTO,
    widths: Widths = EIGHT,
    rounding: Rounding = BEST,
    samples: np.ndarray | None = None,
) -> Graph:
    """The integer graph of `model`, before units and choices of its C; the parameters are those of `compile_model`."""
    found = rounded(model, scales, widths, rounding, samples)
    chosen = layers_with_headroom(found.model, found.scales, reduce_range, found.widths)
    return with_zero_groups(quantize(found.model, found.scales, name, chosen, found.widths), model.samples)


def build_graph(
    graph: Graph, scales: Scales | None, sample: np.ndarray | None, vectors: np.ndarray | None = None
) -> Build:
    """The build of an integer graph; `sample` is the raw sample of its example.c (zeros if None), `vectors` are those
    (N, *shape) that the header tests itself on."""
    plan = plan_memory(graph)
    header = header_text(graph, plan) + ("" if vectors is None else self_test_text(graph, vectors))
    check_c(header, graph.name)
    figures = manifest(graph, plan)
    raw = np.zeros(graph.input.shape, graph.input.dtype) if sample is None else sample
    files = [
        (f"{graph.name}.h", header.encode("ascii")),
        ("example.c", example_text(graph, raw).encode("ascii")),
        ("manifest.json", (json.dumps(figures, indent=1, allow_nan=False) + "\n").encode("ascii")),
        ("model.qnn", graph_bytes(graph)),
    ]
    if scales is not None:
        files.append(("scales.json", scales_bytes(scales)))
    return Build(graph, tuple(files), figures)


def write_build(build: Build, folder: Path) -> Path | None:
    """Write the build's files into `folder` (made if missing), all whole or none.

    The header of the build that was there before, under another name, is removed; it is returned, or None.
    Raises QnnError where a file of that name is not of a build: it is left as it is.
    """
    check_build_folder(folder, build.graph.name)
    before = _header_in(folder)
    write_all_whole([(folder / name, content) for name, content in build.files])
    if before is None or before.name == f"{build.graph.name}.h":
        return None
    before.unlink(missing_ok=True)
    return before


def check_build_folder(folder: Path, name: str, inputs: Sequence[Path] = ()) -> None:
    """Raises QnnError if a build called `name` in `folder` would replace what no build wrote, or one of `inputs`."""
    if folder.exists() and not folder.is_dir():
        raise QnnError(folder, "is a file, not a folder", "name a folder for the build with -o")
    kinds = ((f"{name}.h", HEADER), *KINDS)
    check_replaceable([(folder / file, kind) for file, kind in kinds], inputs)


def _header_in(folder: Path) -> Path | None:
    """The header of the build in `folder`, if there is one."""
    manifest = folder / "manifest.json"
    named = json_of(manifest).get("header") if manifest.is_file() else None
    if not isinstance(named, str) or Path(named).name != named:
        return None
    header = folder / named
    return header if header.is_file() and HEADER.holds(header) else None


def emit(graph: Graph, folder: StrPath, scales: Scales | None = None, sample: np.ndarray | None = None) -> Build:
    """The build of an integer graph, written to `folder`; `sample` is the raw sample of its example.c."""
    build = build_graph(graph, scales, sample)
    write_build(build, Path(folder))
    return build
