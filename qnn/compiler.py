# SPDX-License-Identifier: MIT
"""compile: a float model becomes a build folder with header, integer graph, scales, manifest and example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn.emitter.ccheck import check_c
from qnn.emitter.example import example_text
from qnn.emitter.header import header_text
from qnn.emitter.manifest import manifest
from qnn.files import write_all_whole
from qnn.graph import Graph
from qnn.graphfile import graph_bytes
from qnn.headroom import AUTO, layers_with_headroom
from qnn.memory import plan_memory
from qnn.model import Model
from qnn.quantization import quantize
from qnn.scales import Scales, scales_bytes
from qnn.sparsity import with_zero_groups


@dataclass(frozen=True, eq=False)
class Build:
    """A compiled model in memory: the graph, the files' contents by name, the manifest."""

    graph: Graph
    files: tuple[tuple[str, bytes], ...]
    manifest: Mapping[str, Any]


def compile_model(model: Model, scales: Scales, name: str, reduce_range: str = AUTO) -> Build:
    """The build of `model` with C prefix `name`; equal inputs give equal bytes.

    reduce_range: which layers' weights leave a bit of headroom for the fast kernels, one of headroom.CHOICES.
    Raises QnnError where the model cannot be quantized, or if the C were more than integer code (a bug of qnn).
    """
    chosen = layers_with_headroom(model, scales, reduce_range)
    graph = with_zero_groups(quantize(model, scales, name, chosen), model.samples)
    return build_graph(graph, scales, model.samples[0] if len(model.samples) else None)


def build_graph(graph: Graph, scales: Scales | None, sample: np.ndarray | None) -> Build:
    """The build of an integer graph; `sample` is the raw sample of its example.c (zeros if None)."""
    plan = plan_memory(graph)
    header = header_text(graph, plan)
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


def write_build(build: Build, folder: Path) -> None:
    """Write the build's files into `folder` (made if missing), all whole or none."""
    write_all_whole([(folder / name, content) for name, content in build.files])


def emit(graph: Graph, folder: Path, scales: Scales | None = None, sample: np.ndarray | None = None) -> Build:
    """The build of an integer graph, written to `folder`; `sample` is the raw sample of its example.c."""
    build = build_graph(graph, scales, sample)
    write_build(build, folder)
    return build
