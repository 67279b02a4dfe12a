# SPDX-License-Identifier: MIT
"""Batches of samples as one block of memory, which c/job.c runs wherever it was compiled for.

A job starts with little-endian words (sizes, and offsets from its start; 0 where something is not asked for), then
the inputs, then the space for the results; everything else is in the byte order of the machine that runs it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qnn.engines.interface import Interface, Tensor
from qnn.errors import QnnError
from qnn.graph import CLASS, PROBABILITIES, VALUE

QUANTIZED_RUN = "NAME_run_q"  # the results of NAME_run_q on inputs that are already quantized; no node has that name
INSTRUCTIONS = "instructions"
TRACE = "trace"
WORDS = (
    *("count", "in", "in_q", "out", "out_q", CLASS, PROBABILITIES, VALUE, INSTRUCTIONS, TRACE, "trace_bytes"),
    *("reply", "reply_bytes"),
)
Order = Literal["<", "="]
HEADER_BYTES = 64
RECORD_BYTES = 8  # in a trace, before each tensor: its node's index and its size
WINDOW_SAMPLES = 256  # a job stays short enough for a progress bar and for Ctrl-C
WINDOW_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class Region:
    """An array in a job's memory: what it holds, where, of which dtype and shape, samples first."""

    name: str
    offset: int
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """How many bytes it occupies."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, eq=False)
class Job:
    """A batch that is ready to run.

    request: uint8, the words and the inputs. reply: the offset of the first result. size: bytes in all.
    inputs, results: where each of them is or will be. order: "<" or "=", as for `pack`.
    """

    interface: Interface
    request: np.ndarray
    reply: int
    size: int
    inputs: tuple[Region, ...]
    results: tuple[Region, ...]
    order: Order


def windows(interface: Interface, samples: int, *, trace: bool = False) -> Iterator[tuple[slice, int]]:
    """Slices of `samples` that fit into one job each, and the misalignment of their inputs and outputs.

    There are at least four jobs, if there are four samples, so that every misalignment occurs.
    """
    nodes = _trace_bytes(interface) if trace else 0
    heads = sum(head.bytes for head in interface.heads)
    each = interface.input.bytes + interface.quantized.bytes + 2 * interface.output.bytes + heads + nodes + 64
    most = min(WINDOW_SAMPLES, WINDOW_BYTES // each, -(-samples // 4))
    step = max(most, 1)
    for index, start in enumerate(range(0, samples, step)):
        yield slice(start, min(start + step, samples)), index % 4


def pack(
    interface: Interface,
    x: np.ndarray,
    q: np.ndarray | None = None,
    *,
    misalign: int = 0,
    trace: bool = False,
    count_instructions: bool = False,
    order: Order = "=",
) -> Job:
    """The job that runs `x`, raw (N, *shape), through NAME_run and the heads, and `q` through NAME_run_q.

    misalign: 0 to 3, how many bytes past a multiple of four inputs and outputs lie.
    trace: only NAME_run, and every node's tensor. order: "<" for RV32, "=" for this machine.
    """
    given = [("in", interface.input, x)]
    wanted = [("out", interface.output)]
    if q is not None:
        given.append(("in_q", interface.quantized, q))
        wanted.append(("out_q", interface.output))
    if trace:
        wanted.append((TRACE, Tensor(TRACE, "uint8", (_trace_bytes(interface),))))
    else:
        wanted += [(head.name, head) for head in interface.heads]
    if count_instructions:
        wanted.append((INSTRUCTIONS, Tensor(INSTRUCTIONS, "uint32", ())))
    inputs = _regions([(name, tensor) for name, tensor, _ in given], len(x), HEADER_BYTES, misalign, order)
    reply = _aligned(inputs[-1].offset + inputs[-1].bytes)
    results = _regions(wanted, len(x), reply, misalign, order)
    size = _aligned(results[-1].offset + results[-1].bytes)
    request = np.zeros(reply, np.uint8)
    for region, (_, tensor, values) in zip(inputs, given, strict=True):
        data = np.frombuffer(exact(values, tensor).astype(region.dtype).tobytes(), np.uint8)
        request[region.offset : region.offset + region.bytes] = data
    words = {region.name: region.offset for region in (*inputs, *results)}
    words |= {"count": len(x), "trace_bytes": results[-1].bytes if trace else 0}
    words |= {"reply": reply, "reply_bytes": size - reply}
    header = struct.pack(f"<{len(WORDS)}I", *(words.get(word, 0) for word in WORDS))
    request[: len(header)] = np.frombuffer(header, np.uint8)
    return Job(interface, request, reply, size, inputs, results, order)


def run_jobs(
    interface: Interface,
    x: np.ndarray,
    q: np.ndarray | None,
    execute: Callable[[Job], bytes],
    *,
    trace: bool = False,
    count_instructions: bool = False,
    order: Order = "=",
) -> dict[str, np.ndarray]:
    """What `unpack` gives for all samples, in as many jobs as `windows` says; `execute` gives a job's reply."""
    parts = []
    for rows, misalign in windows(interface, len(x), trace=trace):
        job = pack(
            interface,
            x[rows],
            None if q is None else q[rows],
            misalign=misalign,
            trace=trace,
            count_instructions=count_instructions,
            order=order,
        )
        parts.append(unpack(job, execute(job)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def layout() -> str:
    """C for the order of a job's words: AtCount is the index of "count"."""
    names = ("At" + "".join(part.capitalize() for part in word.split("_")) for word in WORDS)
    return f"enum {{ {', '.join(names)} }};\n"


def _regions(
    wanted: Sequence[tuple[str, Tensor]], samples: int, start: int, misalign: int, order: Order
) -> tuple[Region, ...]:
    """One region after the other from `start` on; what NAME_run reads or writes is `misalign` bytes off."""
    regions: list[Region] = []
    for name, tensor in wanted:
        shift = misalign if name in ("in", "in_q", "out", "out_q") else 0
        dtype = np.dtype(tensor.dtype).newbyteorder(order).str
        regions.append(Region(name, _aligned(start) + shift, dtype, (samples, *tensor.shape)))
        start = regions[-1].offset + regions[-1].bytes
    return tuple(regions)


def _aligned(offset: int) -> int:
    return -(-offset // 8) * 8


def _trace_bytes(interface: Interface) -> int:
    return sum(RECORD_BYTES + node.bytes for node in interface.nodes)


def unpack(job: Job, reply: bytes) -> dict[str, np.ndarray]:
    """The results in `reply`, the job's memory from job.reply on: by tensor name, samples first; a trace by node.

    NAME_run_q's are under QUANTIZED_RUN, instruction counts under INSTRUCTIONS.
    Raises QnnError if a trace does not hold the graph's nodes.
    """
    names = {"out": job.interface.output.name, "out_q": QUANTIZED_RUN}
    found: dict[str, np.ndarray] = {}
    for region in job.results:
        start = region.offset - job.reply
        values = np.frombuffer(reply[start : start + region.bytes], region.dtype).reshape(region.shape)
        if region.name == TRACE:
            return _nodes(job, values)
        found[names.get(region.name, region.name)] = _native(values)
    return found


def _nodes(job: Job, records: np.ndarray) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    position = 0
    for index, node in enumerate(job.interface.nodes):
        body = position + RECORD_BYTES
        header = _view(records[:, position:body], "uint32", job.order)
        if not (header == (index, node.bytes)).all():
            seen = header[(header != (index, node.bytes)).any(axis=1)][0]
            problem = f"its trace has node {seen[0]} with {seen[1]} bytes where {node.name} has {node.bytes}"
            raise QnnError(f"{job.interface.name}.h", problem, "it does not fit model.qnn: compile the model again")
        values = _view(records[:, body : body + node.bytes], node.dtype, job.order)
        found[node.name] = values.reshape(len(records), *node.shape)
        position = body + node.bytes
    return found


def _view(columns: np.ndarray, dtype: str, order: Order) -> np.ndarray:
    return _native(np.ascontiguousarray(columns).view(np.dtype(dtype).newbyteorder(order)))


def _native(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder("="))


def exact(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """`values` (N, *shape) in the tensor's dtype. Raises QnnError if the shape differs or a value does not fit."""
    if values.shape[1:] != tensor.shape:
        raise QnnError(tensor.name, f"takes samples of shape {tensor.shape}, not {values.shape[1:]}", "use other data")
    converted = values.astype(tensor.dtype)
    if converted.dtype != values.dtype and not np.array_equal(converted, values):
        raise QnnError(tensor.name, f"has values that are not {tensor.dtype}", "use data of the model's kind")
    return converted
