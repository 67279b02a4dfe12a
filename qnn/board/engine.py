# SPDX-License-Identifier: MIT
"""The emitted C on a board, or on a virtual one, through the serial protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from qnn.board import protocol
from qnn.board.link import FLASH_IT, Link, Request, Stream
from qnn.emitter.notes import graph_hash
from qnn.engines.engine import CrashError, Measurement, ObjectSizes
from qnn.engines.interface import Tensor, interface_of
from qnn.engines.job import QUANTIZED_RUN, exact
from qnn.errors import QnnError
from qnn.graph import CLASS, PROBABILITIES, VALUE, Graph
from qnn.progress import Progress, silent
from qnn.toolchain import Compiler

HEAD_FLAGS = {CLASS: protocol.CLASS, PROBABILITIES: protocol.PROBABILITIES, VALUE: protocol.VALUES}
COUNTS_BYTES, LAYER_BYTES = 8, 8


class BoardEngine:
    """Runs the build of `graph`, in the folder `build`, on the board at the other end of `stream`.

    The board must have been flashed with it. Raises QnnError if there is no board, or another model on it. Close it
    when done.
    """

    name = "board"
    sizes: ObjectSizes | None = None

    def __init__(self, build: Path, graph: Graph, stream: Stream) -> None:
        self.interface = interface_of(graph)
        self.link = Link(stream)
        try:
            self.hello = self.link.hello()
            self._check(build, graph_hash(graph))
        except BaseException as error:
            self.close()
            if isinstance(error, CrashError):
                raise QnnError(stream.name, str(error), f"press RESET; if it stays, flash: qnn flash {build}") from None
            raise
        self.runner = f"{self.hello.chip_name}, {self.hello.clock_hz / 1e6:.0f} MHz, {stream.name}"
        self.compiler = Compiler("firmware", ("firmware",), self.hello.model_hash[:12])

    def run(self, x: np.ndarray, q: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """See Engine.run."""
        heads = self.interface.heads
        flags = sum(HEAD_FLAGS[head.name] for head in heads)
        found = self._infer(x, self.interface.input, flags, (self.interface.output, *heads))
        if q is not None:
            quantized = self._infer(q, self.interface.quantized, protocol.QUANTIZED, (self.interface.output,))
            found[QUANTIZED_RUN] = quantized[self.interface.output.name]
        return found

    def trace(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See Engine.trace."""
        samples = _rows(x, self.interface.input)
        found = {}
        for index, node in enumerate(self.interface.nodes):
            parts = [b""] * len(samples)
            offsets = range(0, node.bytes, protocol.CHUNK_BYTES)
            requests = [self._layer(index, node, offset, sample) for sample in samples for offset in offsets]
            for number, reply in enumerate(self.link.exchange(requests)):
                parts[number // len(offsets)] += self._chunk(reply.body, node, offsets[number % len(offsets)])
            values = np.frombuffer(b"".join(parts), np.dtype(node.dtype).newbyteorder("<"))
            found[node.name] = values.reshape(len(samples), *node.shape).astype(node.dtype)
        return found

    def measure(self, x: np.ndarray, progress: Progress = silent) -> Measurement:
        """See Engine.measure; cycles as the chip's own counter has them."""
        rows = _rows(x, self.interface.input)
        size = COUNTS_BYTES + self.interface.output.bytes
        requests = (Request(protocol.INFER, protocol.INSTRUCTIONS, row, size) for row in rows)
        counts = np.zeros((len(rows), 2), np.int64)
        for i, reply in enumerate(self.link.exchange(requests)):
            counts[i] = np.frombuffer(self._sized(reply.body, size)[:COUNTS_BYTES], "<u4")
            progress(i + 1, len(rows), "counting cycles")
        return Measurement(counts[:, 1], self.link.hello().stack_used, counts[:, 0])

    def close(self) -> None:
        """See Engine.close."""
        self.link.close()

    def _check(self, build: Path, expected: str) -> None:
        if self.hello.model_hash != expected:
            problem = f"has the model {self.hello.name} {self.hello.model_hash[:12]}, not {expected[:12]} of {build}"
            raise QnnError(self.link.stream.name, problem, f"flash it: qnn flash {build}")

    def _infer(self, x: np.ndarray, given: Tensor, flags: int, tensors: tuple[Tensor, ...]) -> dict[str, np.ndarray]:
        size = COUNTS_BYTES + sum(tensor.bytes for tensor in tensors)
        rows = _rows(x, given)
        requests = (Request(protocol.INFER, flags, row, size) for row in rows)
        bodies = [self._sized(reply.body, size) for reply in self.link.exchange(requests)]
        table = np.frombuffer(b"".join(bodies), np.uint8).reshape(len(rows), size)
        return dict(_columns(table, tensors))

    def _layer(self, index: int, node: Tensor, offset: int, sample: bytes) -> Request:
        body = index.to_bytes(4, "little") + offset.to_bytes(4, "little") + sample
        return Request(protocol.LAYER, 0, body, LAYER_BYTES + min(node.bytes - offset, protocol.CHUNK_BYTES))

    def _chunk(self, body: bytes, node: Tensor, offset: int) -> bytes:
        size = min(node.bytes - offset, protocol.CHUNK_BYTES)
        self._sized(body, LAYER_BYTES + size)
        total, at = (int.from_bytes(body[i : i + 4], "little") for i in (0, 4))
        if (total, at) != (node.bytes, offset):
            raise self._odd(f"sends {total} bytes of {node.name}, not {node.bytes}")
        return body[LAYER_BYTES:]

    def _sized(self, body: bytes, size: int) -> bytes:
        if len(body) != size:
            raise self._odd(f"sends {len(body)} bytes where {size} are due")
        return body

    def _odd(self, problem: str) -> QnnError:
        return QnnError(self.link.stream.name, problem, FLASH_IT)


def _rows(x: np.ndarray, tensor: Tensor) -> list[bytes]:
    """Each sample's bytes, as the chip has them."""
    values = exact(x, tensor).astype(np.dtype(tensor.dtype).newbyteorder("<"))
    return [row.tobytes() for row in values]


def _columns(table: np.ndarray, tensors: tuple[Tensor, ...]) -> Iterator[tuple[str, np.ndarray]]:
    at = COUNTS_BYTES
    for tensor in tensors:
        data = np.ascontiguousarray(table[:, at : at + tensor.bytes])
        values = data.view(np.dtype(tensor.dtype).newbyteorder("<")).astype(tensor.dtype)
        yield tensor.name, values.reshape(len(table), *tensor.shape)
        at += tensor.bytes
