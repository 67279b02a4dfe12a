# SPDX-License-Identifier: MIT
"""What max_pool and average_pool share: a window without weights (SPEC 5.7)."""

from __future__ import annotations

from qnn.ops.op import Op, TensorType
from qnn.ops.window import Window


class Pool(Op):
    """An operator with a window that looks at each channel by itself."""

    window: Window

    def works_in_place(self) -> bool:
        # Without padding, output pixel n is written at or before the first element of window n (SPEC 6.1).
        return not self.window.pads

    def output_shape(self, inputs: tuple[TensorType, ...]) -> tuple[int, ...]:
        return (self.window.out_height, self.window.out_width, self.window.channels)
