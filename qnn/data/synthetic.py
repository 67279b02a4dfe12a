# SPDX-License-Identifier: MIT
"""random:N: samples that look for trouble at the edges, for verification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qnn.data.options import DEFAULT_MAX_MEMORY, check_memory
from qnn.data.table import Table
from qnn.errors import QnnError
from qnn.fixedpoint import INT32_MAX, INT32_MIN
from qnn.schema import Schema

PREFIX = "random:"
DEFAULT_RANGE = (-32768, 32767)  # of int32 inputs whose range nobody told
SPREAD = 4  # wide samples reach this many ranges beyond the range
BLOCK_CELLS = 1 << 19
SPARSE = 0.05


def read_random(
    source: str, schema: Schema | None, low: Sequence[int], high: Sequence[int], seed: int, memory: int
) -> Table:
    """The samples that "random:N" means for the model with `schema`. Raises QnnError without one or for a bad N."""
    text = source.removeprefix(PREFIX)
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or int(text) == 0:
        raise QnnError(source, f"{text!r} is not a number of samples", "write it like random:1000")
    if schema is None:
        raise QnnError(source, "random samples have nothing to learn from", "they are for verify; train on data")
    generator = np.random.Generator(np.random.PCG64(seed))
    return Table(random_samples(schema, low, high, int(text), generator, memory), schema.features, None)


def random_samples(
    schema: Schema,
    low: Sequence[int],
    high: Sequence[int],
    count: int,
    generator: np.random.Generator,
    max_memory: int = DEFAULT_MAX_MEMORY,
) -> np.ndarray:
    """`count` raw samples (count, *schema.shape) of schema.dtype, biased to the edges.

    low, high: the range that the model knows, one value, or one a feature; empty for the type's own.
    Samples are of seven kinds, in random order after the first eight, which are fixed: uniform within the range;
    every element at one of its edges, or just beside one; sparse; all at one value; beyond the range, where inputs
    saturate; and, for int32, at the ends of int32. Raises QnnError for ranges that do not fit the schema.
    """
    elements = int(np.prod(schema.shape, dtype=np.int64))
    limits = np.iinfo(schema.dtype)
    check_memory(PREFIX + str(count), count * elements * limits.bits // 8, max_memory, "the samples")
    whole = (limits.min, limits.max) if limits.bits == 8 else DEFAULT_RANGE
    bottom, top = _per_element(low, whole[0], elements, "low"), _per_element(high, whole[1], elements, "high")
    if (bottom > top).any():
        raise QnnError("random samples", "their low is above their high", "swap the ends of the range")
    edges = np.stack(
        [np.zeros(elements, np.int64), bottom, top, (bottom + top) // 2, bottom - 1, top + 1, bottom + 1, top - 1]
    )
    result = np.empty((count, elements), dtype=schema.dtype)
    step = max(1, BLOCK_CELLS // elements)
    for start in range(0, count, step):
        rows = min(step, count - start)
        block = _block(rows, bottom, top, edges, generator)
        result[start : start + rows] = np.clip(block, limits.min, limits.max)
    fixed = [*edges[:4], np.full(elements, INT32_MIN), np.full(elements, INT32_MAX), edges[4], edges[5]]
    for index, sample in enumerate(fixed[:count]):
        result[index] = np.clip(sample, limits.min, limits.max)
    return result.reshape(count, *schema.shape)


def _block(
    rows: int, low: np.ndarray, high: np.ndarray, edges: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """int64 samples (rows, elements), each of a kind of its own."""
    shape = (rows, len(low))
    kind = generator.integers(0, 7, size=(rows, 1))
    inside = generator.integers(low, high, size=shape, endpoint=True)
    corner = np.take_along_axis(edges[:4], generator.integers(0, 4, size=shape), axis=0)
    beside = np.take_along_axis(edges, generator.integers(0, len(edges), size=shape), axis=0)
    sparse = np.where(generator.random(shape) < SPARSE, inside, 0)
    span = SPREAD * (high - low + 1)
    beyond = generator.integers(low - span, high + span, size=shape, endpoint=True)
    ends = np.where(generator.random(shape) < 0.5, INT32_MIN, INT32_MAX)
    flat = np.broadcast_to(inside[:, :1], shape)
    return np.choose(kind, [inside, corner, beside, sparse, beyond, ends, flat])


def _per_element(given: Sequence[int], default: int, elements: int, name: str) -> np.ndarray:
    values = np.asarray(given if len(given) else [default], dtype=np.int64)
    if values.shape not in ((1,), (elements,)):
        raise QnnError(
            "random samples", f"have {len(values)} {name} values for {elements} inputs", "give one, or one each"
        )
    if values.min() < INT32_MIN or values.max() > INT32_MAX:
        raise QnnError("random samples", f"their {name} is beyond 32-bit integers", "use a smaller range")
    return np.broadcast_to(values, (elements,)).copy()
