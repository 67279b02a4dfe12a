# SPDX-License-Identifier: MIT
"""The integer graph: what the simulator runs and the emitter writes, and nothing else (SPEC 2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from qnn.ops.choices import DEFAULT, Choices
from qnn.ops.ckernel import CKernel
from qnn.ops.op import Op, TensorType
from qnn.ops.select import Step, select_kernels
from qnn.schema import DataRecord, Schema

INPUT = "input"
CLASS, PROBABILITIES, VALUE = "class", "probabilities", "value"
HEADS = (CLASS, PROBABILITIES, VALUE)


@dataclass(frozen=True, eq=False)
class Node:
    """One integer operator: its unique name, its inputs' names (INPUT or earlier nodes) and its output's type."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    type: TensorType


@dataclass(frozen=True, eq=False)
class Graph:
    """A quantized network.

    name: the C prefix. input: the type of the raw integers that enter.
    nodes: in execution order; the tensor called `output` is what NAME_run returns; nodes named in HEADS follow it
    and are what NAME_classify, NAME_probabilities and NAME_value return.
    quantized_input: the tensor that NAME_run_q takes (INPUT itself where raw values need no quantization).
    choices: how its C is to be made.
    """

    name: str
    schema: Schema
    record: DataRecord
    input: TensorType
    nodes: tuple[Node, ...]
    output: str
    quantized_input: str
    choices: Choices = DEFAULT

    @property
    def body(self) -> tuple[Node, ...]:
        """The nodes up to the output, without the heads."""
        return tuple(node for node in self.nodes if node.name not in HEADS)

    @property
    def heads(self) -> tuple[Node, ...]:
        """The nodes that turn the output into a class, probabilities or values."""
        return tuple(node for node in self.nodes if node.name in HEADS)

    def node(self, name: str) -> Node:
        """The node called `name`. Raises KeyError."""
        return next(node for node in self.nodes if node.name == name)

    def type_of(self, name: str) -> TensorType:
        """The type of the tensor called `name` (INPUT or a node)."""
        return self.input if name == INPUT else self.node(name).type

    def types_of(self, node: Node) -> tuple[TensorType, ...]:
        """The types of a node's inputs."""
        return tuple(self.type_of(name) for name in node.inputs)

    @cached_property
    def kernels(self) -> tuple[CKernel, ...]:
        """The C kernel of every node, in order: chosen and laid out once, since weights may be large."""
        steps = [Step(node.op, self.types_of(node), node.type) for node in self.nodes]
        return select_kernels(steps, self.choices)

    def kernel_of(self, node: Node) -> CKernel:
        """The C kernel of one of the graph's nodes."""
        return self.kernels[self.nodes.index(node)]

    def __str__(self) -> str:
        """Stable text: one line per tensor."""
        lines = [f"graph {self.name}: {INPUT} {self.input}"]
        for node in self.nodes:
            bound = node.op.accumulator_bound(self.types_of(node))
            proof = f" accumulator {bound[0]}..{bound[1]}" if bound else ""
            lines.append(f"  {node.name} = {node.op.kind}({', '.join(node.inputs)}) -> {node.type}{proof}")
        return "\n".join([*lines, f"  return {self.output}"])
