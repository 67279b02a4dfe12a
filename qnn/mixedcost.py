# SPDX-License-Identifier: MIT
"""Costs of combinations of widths, put together from layers: thousands of them in seconds.

What a layer's kernel costs depends on the widths of its weights, of its inputs and of its outputs. So a layer that was
quantized once with these widths serves in every combination that has them. Its weights are rounded to the nearest step
here, so that the finished network may differ by a little: what is chosen is made and measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from qnn.graph import HEADS, INPUT, Graph, Node
from qnn.mixed import Bits, Cost, Search, cost_of, widest
from qnn.model import Node as FloatNode
from qnn.ops.choices import OFF
from qnn.ops.ckernel import CKernel
from qnn.ops.pack import packed
from qnn.ops.select import SMALL_MODEL
from qnn.quantization import Lowered, lower_model
from qnn.sparsity import with_zero_groups
from qnn.widths import EIGHT

Piece = tuple[tuple[Node, CKernel, CKernel | None], ...]  # nodes, kernels, the same with tighter weights
Key = tuple[str, Bits]
ENTRY, REST = "", "heads"  # what comes before the layers, and behind them


@dataclass(frozen=True)
class Layer:
    """A float node that becomes integer ones: what decides its kernel.

    indices: of the choices of its weights and inputs. output: that of its output, None where it has none. joins: it
    has several inputs, which must come to its output's type.
    """

    name: str
    indices: tuple[int, ...]
    output: int | None
    joins: bool


class Pieces:
    """The costs of the combinations of a Search."""

    def __init__(self, search: Search) -> None:
        self._search = search
        lowered = lower_model(search.model, search.scales, "trial", (), EIGHT)
        graph = replace(lowered.graph, choices=search.made)
        self._small = sum(node.op.macs(graph.types_of(node), node.type) for node in graph.nodes) <= SMALL_MODEL
        self._layers = tuple(_layers(search, lowered))
        sparse = with_zero_groups(graph, search.model.samples)
        self._zeros = {name: sparse.type_of(name).zero_groups for name in (INPUT, *(node.name for node in sparse.body))}
        self._pieces: dict[Key, Piece] = {}
        self._costs: dict[Bits, Cost] = {}
        self._frame = self._plain(widest(search.choices))

    def cost(self, bits: Bits) -> Cost:
        """What a combination costs, but for what rounding and headroom change."""
        if bits not in self._costs:
            self._costs[bits] = cost_of(self._assembled(bits))
        return self._costs[bits]

    def _assembled(self, bits: Bits) -> Graph:
        keys = [_key(layer, bits) for layer in self._layers]
        if any(key not in self._pieces for key in keys):
            self._keep(bits, keys)
        parts = [part for key in keys for part in self._pieces[key]]
        nodes, kernels, tights = zip(*parts, strict=True)
        graph = replace(self._frame, nodes=nodes, choices=self._search.made)
        if not self._small:  # else the kernels of all layers are chosen together
            chosen = packed(kernels, tights, graph.choices.pack)
            vars(graph)["kernels"] = tuple(chosen)  # Graph.kernels need not lay them out again
        return graph

    def _keep(self, bits: Bits, keys: list[Key]) -> None:
        """Quantize the network and keep the layers that are new."""
        graph, names = self._plain(bits), [layer.name for layer in self._layers]
        found: dict[str, list[tuple[Node, CKernel, CKernel | None]]] = {name: [] for name in names}
        last = ENTRY
        for node, kernel in zip(graph.nodes, graph.kernels, strict=True):
            own = node.name.rpartition("_in")[0]
            last = REST if node.name in HEADS else node.name if node.name in found else own if own in found else last
            found[last].append((node, kernel, node.op.tight_kernel(graph.types_of(node), node.type, kernel)))
        for key, name in zip(keys, names, strict=True):
            self._pieces.setdefault(key, tuple(found[name]))

    def _plain(self, bits: Bits) -> Graph:
        graph = self._search.plain(bits)
        nodes = tuple(replace(node, type=replace(node.type, zero_groups=self._zero(node))) for node in graph.nodes)
        choices = replace(graph.choices, pack=OFF)  # tighter weights are a matter of all layers
        return replace(graph, input=replace(graph.input, zero_groups=self._zeros[INPUT]), nodes=nodes, choices=choices)

    def _zero(self, node: Node) -> float:
        return self._zeros.get(node.name, 0.0) if node.type.dtype == "uint8" else 0.0


def _key(layer: Layer, bits: Bits) -> Key:
    """Outputs of up to eight bits are stored alike."""
    end = () if layer.output is None else (bits[layer.output],)
    return (layer.name, (*(bits[index] for index in layer.indices), *(end if layer.joins else (max(8, *end, 0),))))


def _layers(search: Search, lowered: Lowered) -> Iterator[Layer]:
    """What comes before the layers, the layers, what follows them."""
    places = {(choice.node, choice.weights): index for index, choice in enumerate(search.choices)}
    tensors = dict(lowered.tensors)
    nodes = {node.name: node for node in lowered.source.nodes}
    entry = places.get((INPUT, False))
    yield Layer(ENTRY, () if entry is None else (entry,), None, True)
    for name, node in nodes.items():
        if tensors.get(name) != name:
            continue  # it only changes a shape, or goes into another node
        found = [places.get((name, True)), *(_decides(source, places, nodes) for source in node.inputs)]
        indices = tuple(dict.fromkeys(index for index in found if index is not None))
        yield Layer(name, indices, _decides(name, places, nodes), len(node.inputs) > 1)
    yield Layer(REST, (), None, True)


def _decides(name: str, places: dict[tuple[str, bool], int], nodes: dict[str, FloatNode]) -> int | None:
    """The choice that decides a tensor's type: its own, or that of what it keeps the type of."""
    while (name, False) not in places and name != INPUT:
        name = nodes[name].inputs[0]
    return places.get((name, False))
