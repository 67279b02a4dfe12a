# SPDX-License-Identifier: MIT
"""gather: a tensor's elements in another order, or some of them: transpose, slice (SPEC 5.20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qnn.ops.ckernel import CField, CKernel
from qnn.ops.op import MAX_ELEMENTS, Op, TensorType, expect

AXES = 4
WIDE_PART = "QNN_GATHER_WIDE"  # the optional part of c_runtime/qnn_gather.h for tensors of 16 bits


@dataclass(frozen=True, eq=False)
class Gather(Op):
    """y[a, b, c, d] = x[start + a * steps[0] + b * steps[1] + c * steps[2] + d * steps[3]], x and y row by row.

    sizes, steps: int32 (4,); steps may be negative.
    """

    kind: ClassVar[str] = "gather"
    start: int
    sizes: np.ndarray
    steps: np.ndarray

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return tuple(int(size) for size in self.sizes)

    def check(self, subject: str, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        (x,) = inputs
        expect(x.activation and x.dtype == output.dtype, subject, "gather takes and gives uint8 or int16")
        for array in (self.sizes, self.steps):
            expect(array.dtype == np.int32 and array.shape == (AXES,), subject, "it has no 4 axes")
        sizes, steps = self.sizes.astype(np.int64), self.steps.astype(np.int64)
        possible = bool(sizes.min() >= 1 and sizes.max() <= MAX_ELEMENTS and np.abs(steps).max() <= MAX_ELEMENTS)
        reach = (sizes - 1) * steps
        low, high = self.start + int(np.minimum(reach, 0).sum()), self.start + int(np.maximum(reach, 0).sum())
        expect(possible and low >= 0 and high < x.elements, subject, "it reads beyond its input")
        expect(output.low <= x.low and x.high <= output.high, subject, "its output's range is too narrow")

    def reference(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        places = np.full((1,) * AXES, self.start, np.int64)
        for axis, (size, step) in enumerate(zip(self.sizes.tolist(), self.steps.tolist(), strict=True)):
            shape = tuple(size if i == axis else 1 for i in range(AXES))
            places = places + (np.arange(size, dtype=np.int64) * step).reshape(shape)
        return inputs[0].reshape(len(inputs[0]), -1)[:, places]

    def kernel(self, inputs: tuple[TensorType, ...], output: TensorType) -> CKernel:
        fields = [CField("start", self.start)]
        for axis in range(AXES):
            fields += [CField(f"size{axis}", int(self.sizes[axis])), CField(f"step{axis}", int(self.steps[axis]))]
        features = (WIDE_PART,) if output.dtype == "int16" else ()
        name = f"qnn_gather_{output.suffix}_{output.suffix}"
        return CKernel("qnn_gather.h", name, "qnn_gather_t", tuple(fields), features=features)
