# SPDX-License-Identifier: MIT
"""Weights stored in as many bits as they need: unpacked before a kernel, or read as they are (SPEC 6.10, 6.11)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qnn.ops.blocks import ROWS
from qnn.ops.ckernel import TABLES, WEIGHTS, CArray, CField, CKernel, CStruct
from qnn.ops.dual import GROUP, blocked, grouped, lowest_weights
from qnn.ops.op import TensorType
from qnn.ops.requantize import Finish

MARK = "QNN_TIGHT"  # the optional part of c_runtime/ for kernels that read what was unpacked
FIELDS = (  # of kernels that read words: header of c_runtime/, bits of a weight in them
    ("qnn_conv2d_pairs.h", 4),
    ("qnn_conv2d_narrow.h", 4),
    ("qnn_conv2d_dual.h", 8),
)
BYTES = ("qnn_depthwise_3x3.h", "qnn_depthwise_conv2d.h", "qnn_filters_least.h")  # of those that read int8
MAX_GROUPS = 65535  # uint16
WORD = 4
SIGN = 0x80
LANE = 16


@dataclass(frozen=True)
class Form:
    """Weights of high + low bits in fields of `field` bits (SPEC 6.10)."""

    field: int
    high: int
    low: int

    @property
    def bits(self) -> int:
        """Bits of a weight."""
        return self.high + self.low

    @property
    def each(self) -> int:
        """Unpacked words that a word of lower bits gives."""
        return self.field // self.high

    @property
    def repeat(self) -> int:
        """Words of lower bits in a group."""
        return self.high // self.low if self.low else 1


FORMS = tuple(Form(4, *parts) for parts in ((2, 0), (2, 1))) + tuple(
    Form(8, *parts) for parts in ((2, 0), (2, 1), (4, 0), (4, 1), (4, 2))
)


@dataclass(frozen=True)
class Lanes:
    """Weights of `bits` bits in words of two lanes (SPEC 6.11).

    unit: words whose spare bits are used together; extra: pairs of weights in them.
    """

    bits: int
    unit: int
    extra: int

    @property
    def each(self) -> int:
        """Pairs of weights in a word."""
        return LANE // self.bits

    @property
    def spare(self) -> int:
        """Bits of a lane that are left over."""
        return LANE - self.bits * self.each

    @property
    def pairs(self) -> int:
        """Pairs of weights in a unit."""
        return self.unit * self.each + self.extra

    def row(self, count: int) -> tuple[int, int]:
        """Units, and words behind them, of a row of `count` pairs."""
        units, left = divmod(count, self.pairs)
        tail = -(-left // self.each)
        return (units, tail) if tail < self.unit else (units + 1, 0)


LANES = (Lanes(2, 4, 0), Lanes(3, 3, 1), Lanes(4, 2, 0), Lanes(5, 5, 1), Lanes(6, 3, 2))


def tight(kernel: CKernel) -> CKernel | None:
    """The kernel with its weights stored in fewer bits, and unpacked into its workspace; None where that cannot be."""
    array = _weights(kernel.fields)
    field = 8 if kernel.header in BYTES else dict(FIELDS).get(kernel.header, 0)
    if array is None or not field:
        return None
    signed = kernel.header in BYTES
    values = array.values.reshape(-1).astype(np.int64) if signed else fields_of(array.values, field)
    lowest = int(values.min())
    form = next((form for form in FORMS if form.field == field and int(values.max()) - lowest < 1 << form.bits), None)
    if form is None:
        return None
    words, groups = tight_words(values - lowest, form)
    if groups > MAX_GROUPS:
        return None
    add = lowest + SIGN if signed else lowest
    struct = CStruct(
        (
            CField("words", CArray("uint32_t", words, WEIGHTS)),
            CField("groups", groups),
            CField("field", form.field),
            CField("high", form.high),
            CField("low", form.low),
            CField("repeat", form.repeat),
            CField("each", form.each),
            CField("add", add),
            CField("flip", SIGN if signed else 0),
        )
    )
    fields = (CField("layer", CStruct(_without_weights(kernel.fields))), CField("tight", struct))
    room = WORD * groups * form.repeat * form.each
    stem = kernel.header.removesuffix(".h")
    name = kernel.function.replace(stem, f"{stem}_tight") if stem in kernel.function else kernel.function
    if stem.endswith("_least"):
        name = f"{stem.removesuffix('_least')}_tight_least"
    told = f"weights of {form.bits} bits, unpacked into {room:,} bytes of scratch memory"
    return replace(
        kernel,
        header=f"{stem}_tight.h",
        function=name,
        struct=f"{stem}_tight_t",
        fields=fields,
        workspace=room + kernel.workspace,
        reason=f"{kernel.reason}; {told}" if kernel.reason else told,
        features=(*kernel.features, MARK),
    )


def fields_of(words: np.ndarray, field: int) -> np.ndarray:
    """int64 (32 / field * words,): the fields of uint32 words, from the lowest bits up."""
    shifts = np.arange(0, 32, field, dtype=np.int64)
    parts = words.reshape(-1, 1).astype(np.int64) >> shifts
    return (parts & ((1 << field) - 1)).reshape(-1)


def tight_words(values: np.ndarray, form: Form) -> tuple[np.ndarray, int]:
    """uint32 words of values (N,) below 2**form.bits, and how many groups they are; what lacks to whole ones is 0."""
    size = form.repeat * form.each * (32 // form.field)
    groups = -(-len(values) // size)
    padded = np.pad(values, (0, groups * size - len(values)))
    found = padded.reshape(groups, form.repeat, form.each, 32 // form.field)
    place = form.field * np.arange(32 // form.field)
    step = np.arange(form.each)[:, None]
    lower = ((found & ((1 << form.high) - 1)) << (place + form.high * step)).sum(axis=(2, 3))
    if not form.low:
        return lower.reshape(-1).astype(np.uint32), groups
    order = form.each * np.arange(form.repeat)[:, None, None] + step
    upper = ((found >> form.high) << (place + form.low * order)).sum(axis=(1, 2, 3))
    return np.concatenate([upper[:, None], lower], axis=1).reshape(-1).astype(np.uint32), groups


def lanes_of(weights: np.ndarray, x: TensorType) -> Lanes | None:
    """How int8 weights (O, K) on inputs of type x lie in lanes; None where they have too many bits."""
    if x.dtype != "uint8":
        return None
    largest = int(grouped(weights).max())
    return next((lanes for lanes in LANES if largest < 1 << lanes.bits), None)


def row_pairs(count: int) -> int:
    """Pairs of a row of `count` inputs: the first two of every four with the last two."""
    return count // GROUP * 2 + min(count % GROUP, 2)


def lane_words(weights: np.ndarray, lanes: Lanes) -> np.ndarray:
    """uint32 (O, words) of int8 weights (O, K), each less its output's lowest one."""
    groups, count = grouped(weights), row_pairs(weights.shape[1])
    pairs = (groups[:, :, 2:] + (groups[:, :, :2] << LANE)).reshape(len(weights), -1)[:, :count]
    units, tail = lanes.row(count)
    whole = min(count, units * lanes.pairs)
    first = np.pad(pairs[:, :whole], ((0, 0), (0, units * lanes.pairs - whole)))
    rest = np.pad(pairs[:, whole:], ((0, 0), (0, tail * lanes.each - (count - whole))))
    parts = (_unit_words(first.reshape(len(weights), units, lanes.pairs), lanes), _in_words(rest, lanes))
    return np.concatenate(parts, axis=1).astype(np.uint32)


def lanes_kernel(weights: np.ndarray, lanes: Lanes, done: Finish, output: TensorType) -> CKernel:
    """The kernel of a dense layer that reads int8 weights (O, K) from lanes."""
    outputs, count = weights.shape
    pairs = row_pairs(count)
    units, tail = lanes.row(pairs)
    fields = (
        CField("inputs", count),
        CField("outputs", outputs),
        CField("units", units),
        CField("tail", tail),
        CField("bits", lanes.bits),
        CField("each", lanes.each),
        CField("unit", lanes.unit),
        CField("extra", lanes.extra),
        CField("weights", CArray("uint32_t", blocked(lane_words(weights, lanes), ROWS), WEIGHTS)),
        CField("lowest", CArray("int8_t", lowest_weights(weights), TABLES)),
        CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
        CField("requantize", done.struct),
    )
    room = WORD * max(units * lanes.pairs + tail * lanes.each, -(-count // GROUP) * 2)
    reason, parts = f"weights of {lanes.bits} bits; two products a multiplication", (f"QNN_LANES_{lanes.bits}",)
    name = f"qnn_dense_lanes_u8_{output.suffix}"
    return CKernel("qnn_dense_lanes.h", name, "qnn_dense_lanes_t", fields, room, reason, parts)


def _in_words(pairs: np.ndarray, lanes: Lanes) -> np.ndarray:
    """int64 (..., N / each) of pairs (..., N)."""
    shaped = pairs.reshape(*pairs.shape[:-1], pairs.shape[-1] // lanes.each, lanes.each)
    return np.asarray((shaped << (lanes.bits * np.arange(lanes.each))).sum(axis=-1))


def _unit_words(pairs: np.ndarray, lanes: Lanes) -> np.ndarray:
    """int64 (O, units * unit) of pairs (O, units, pairs of a unit)."""
    inside = lanes.unit * lanes.each
    words = _in_words(pairs[..., :inside], lanes)
    kept = (pairs[..., inside:] << (lanes.bits * np.arange(lanes.extra))).sum(axis=-1)[..., None]
    shifts = lanes.spare * np.arange(lanes.unit)[::-1]
    mask = 0x00010001 * ((1 << lanes.spare) - 1)
    return np.asarray(words + ((kept >> shifts & mask) << (LANE - lanes.spare))).reshape(
        len(pairs), lanes.unit * pairs.shape[1]
    )


def _weights(fields: tuple[CField, ...]) -> CArray | None:
    """The array called weights among the fields or in their structs."""
    for field in fields:
        if isinstance(field.value, CArray) and field.name == "weights":
            return field.value
        if isinstance(field.value, CStruct):
            found = _weights(field.value.fields)
            if found is not None:
                return found
    return None


def _without_weights(fields: tuple[CField, ...]) -> tuple[CField, ...]:
    """The fields with a null pointer in the place of the array called weights."""
    found = []
    for field in fields:
        if isinstance(field.value, CStruct):
            field = CField(field.name, replace(field.value, fields=_without_weights(field.value.fields)))
        elif field.name == "weights":
            field = CField(field.name, None)
        found.append(field)
    return tuple(found)
