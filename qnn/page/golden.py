# SPDX-License-Identifier: MIT
"""Golden vectors of a page: samples and made-up inputs, and a checksum of every tensor that the simulator gives.

js/golden.js makes up the same inputs from the same seed: whole numbers drawn by xorshift32 (Marsaglia, 2003), spread
over low..high in float64, where both languages round alike.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qnn.graph import Graph
from qnn.simulator import simulate

SEED, COUNT = 20260, 16
WHOLE = 4294967296.0
BEYOND = 8  # readings are drawn from this part of their range beyond its ends, too


@dataclass(frozen=True)
class Golden:
    """How the made-up inputs are drawn: the range low..high of each raw element (one for all, or one each), seed, how
    many."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    seed: int = SEED
    count: int = COUNT


def golden_for(graph: Graph, low: np.ndarray, high: np.ndarray) -> Golden:
    """The Golden of raw ranges low..high (flat, int64): bytes as they are, readings also a little beyond."""
    if graph.input.dtype == "uint8":
        return Golden((0,), (255,))
    room = (high - low) // BEYOND + 1
    limits = np.iinfo(np.int32)
    lowest, highest = np.maximum(low - room, limits.min), np.minimum(high + room, limits.max)
    return Golden(tuple(lowest.tolist()), tuple(highest.tolist()))


def made_up(graph: Graph, golden: Golden) -> np.ndarray:
    """The made-up inputs (count, *shape): in turn anywhere, at the ends, and mostly at the lower end."""
    draws = _xorshift(golden.seed)
    repeat = graph.input.elements // len(golden.low)
    ranges = list(zip(golden.low * repeat, golden.high * repeat, strict=True))
    vectors = []
    for vector in range(golden.count):
        values = []
        for low, high in ranges:
            draw = next(draws)
            uniform = low + math.floor(float(next(draws)) * float(high - low + 1) / WHOLE)
            if vector % 3 == 1:
                values.append(high if draw & 1 else low)
            else:
                values.append(low if vector % 3 == 2 and draw & 3 else uniform)
        vectors.append(values)
    return np.array(vectors, np.int64).astype(graph.input.dtype).reshape(-1, *graph.input.shape)


def checksums(graph: Graph, x: np.ndarray) -> np.ndarray:
    """CRC-32 (uint32) of every tensor's bytes, little-endian: (N, nodes with heads)."""
    names = [node.name for node in graph.nodes]
    tensors = simulate(graph, x, keep=names)
    table = np.zeros((len(x), len(names)), np.uint32)
    for column, name in enumerate(names):
        values = np.ascontiguousarray(tensors[name])
        little = values.astype(values.dtype.newbyteorder("<"))
        table[:, column] = [zlib.crc32(row.tobytes()) for row in little]
    return table


def _xorshift(state: int) -> Iterator[int]:
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state
