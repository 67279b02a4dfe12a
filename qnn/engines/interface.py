# SPDX-License-Identifier: MIT
"""What a header offers: the types, shapes and names behind NAME_run and its companions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qnn.graph import CLASS, INPUT, PROBABILITIES, VALUE, Graph

HEAD_DTYPES = {CLASS: "int32", PROBABILITIES: "uint16", VALUE: "int32"}


@dataclass(frozen=True)
class Tensor:
    """One sample's tensor as C has it: its name in the graph, dtype and shape; () is a single number."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """How many bytes one sample occupies."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Interface:
    """The functions of a header called `name`.

    input: what NAME_run takes. quantized: what NAME_run_q takes. output: what both return.
    heads: what NAME_classify, NAME_probabilities and NAME_value return, as far as they exist.
    nodes: what NAME_TRACE shows, in the order of its index.
    """

    name: str
    input: Tensor
    quantized: Tensor
    output: Tensor
    heads: tuple[Tensor, ...]
    nodes: tuple[Tensor, ...]

    def head(self, name: str) -> Tensor | None:
        """The head called `name`, if the header has it."""
        return next((head for head in self.heads if head.name == name), None)


def interface_of(graph: Graph) -> Interface:
    """The interface of the header that is emitted for `graph`."""

    def tensor(name: str) -> Tensor:
        kind = graph.type_of(name)
        return Tensor(name, kind.dtype, kind.shape)

    heads = tuple(Tensor(node.name, HEAD_DTYPES[node.name], node.type.shape) for node in graph.heads)
    return Interface(
        name=graph.name,
        input=tensor(INPUT),
        quantized=tensor(graph.quantized_input),
        output=tensor(graph.output),
        heads=heads,
        nodes=tuple(tensor(node.name) for node in graph.body),
    )
