# SPDX-License-Identifier: MIT
"""The figures of a build: what compile prints and writes as manifest.json."""

from __future__ import annotations

from typing import Any

from qnn.emitter.flash import graph_flash, kernel_flash
from qnn.emitter.notes import graph_hash
from qnn.graph import VALUE, Graph, Node
from qnn.instructions.predict import forecast, predicted
from qnn.memory import MemoryPlan, Place
from qnn.ops.choices import FLASH, RAM
from qnn.ops.rescale import Rescale
from qnn.placement import placement_of

SPEC_VERSION = 1


def manifest(graph: Graph, plan: MemoryPlan) -> dict[str, Any]:
    """A JSON-able document; equal graphs give equal documents. Sizes are bytes, macs are per inference.

    flash: see flash.Flash; a node's structs are its struct and padding. optimize: what the kernels were chosen for.
    constant_time: whether the instructions are the same for every input. pack: where weights are stored in few bits.
    ram: the scratch memory; the most that tensors need of it at once; the largest workspace of a kernel beside them;
    constants that live there. placement: where constants were asked to live, which nodes' are in RAM and how many bytes
    that is, what an ESP32-C3 has room for.
    instructions: RV32 instructions of NAME_run as predicted for a compiler: `predicted` where no zero is skipped, which
    the nodes add up to but for a few; `predicted_usual` the mean for inputs like the calibration samples; null where
    that is not known.
    values: of a regression, the targets and the decimals of the units that they leave in.
    memory_plan: each tensor, or workspace of a node's kernel, and from which node to which it is needed.
    """
    placement = placement_of(graph, plan)
    counts = (*predicted(graph).nodes, *(None for _ in graph.heads))
    nodes = zip(graph.nodes, counts, strict=True)
    return {
        "name": graph.name,
        "spec_version": SPEC_VERSION,
        "graph_sha256": graph_hash(graph),
        "header": f"{graph.name}.h",
        "flash": graph_flash(graph).document(),
        "ram": {
            "scratch": plan.scratch_bytes,
            "tensors": plan.live_bytes,
            "workspace": plan.workspace_bytes,
            "constants": placement.ram_bytes,
        },
        "placement": placement.document(),
        "optimize": graph.choices.optimize,
        "constant_time": graph.choices.constant_time,
        "pack": graph.choices.pack,
        "macs": sum(_macs(graph, node) for node in graph.nodes),
        "instructions": forecast(graph).document(),
        "nodes": [_node(graph, node, node.name in placement.in_ram, count) for node, count in nodes],
        "memory_plan": [_place(graph, place) for place in plan.places],
        **_values(graph),
    }


def _values(graph: Graph) -> dict[str, Any]:
    """Of each value its target and unit: 10**-decimals of the target's own; nothing for classifiers."""
    op = next((node.op for node in graph.heads if node.name == VALUE), None)
    if not isinstance(op, Rescale):
        return {}
    pairs = zip(graph.schema.targets, op.decimals.tolist(), strict=True)
    return {"values": [{"target": name, "decimals": decimals} for name, decimals in pairs]}


def _place(graph: Graph, place: Place) -> dict[str, Any]:
    return {
        "tensor": place.tensor or None,
        "in_place_of": place.over or None,
        "workspace_of": None if place.tensor else graph.body[place.first].name,
        "offset": place.offset,
        "bytes": place.bytes,
        "first_node": graph.body[place.first].name,
        "last_node": graph.body[place.last].name,
    }


def _macs(graph: Graph, node: Node) -> int:
    return node.op.macs(graph.types_of(node), node.type)


def _node(graph: Graph, node: Node, in_ram: bool, instructions: int | None) -> dict[str, Any]:
    bound = node.op.accumulator_bound(graph.types_of(node))
    kernel = graph.kernel_of(node)
    flash = kernel_flash(kernel)
    return {
        "name": node.name,
        "operator": node.op.kind,
        "inputs": list(node.inputs),
        "shape": list(node.type.shape),
        "dtype": node.type.dtype,
        "scale": node.type.scale,
        "zero_point": node.type.zero_point,
        "macs": _macs(graph, node),
        "instructions": instructions,
        "weights": flash.weights,
        "tables": flash.tables,
        "structs": flash.structs,
        "memory": RAM if in_ram else FLASH,
        "accumulator": list(bound) if bound else None,
        "kernel": kernel.function,
        "reason": kernel.reason,
    }
