# SPDX-License-Identifier: MIT
"""Where the windows of convolutions and pools lie: kernel, stride and padding of one layer."""

from __future__ import annotations

from dataclasses import dataclass

from qnn.errors import QnnError
from qnn.layers.layer import Shape
from qnn.ops.window import MAX_PADDED_KERNEL, Window

SAME, VALID = "same", "valid"
MAX_KERNEL = MAX_PADDED_KERNEL


@dataclass(frozen=True)
class Sliding:
    """A kernel, its stride and its padding.

    padding: "valid" (none), "same" (the output has ceil(size / stride) rows and columns, the larger half of an odd
    padding below and to the right, as in TensorFlow), or whole numbers: one for all sides, or top bottom left right.
    """

    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    padding: str

    def check(self, subject: str) -> None:
        """Raises QnnError for a kernel, stride or padding that cannot be."""
        for size in (self.kernel_height, self.kernel_width, self.stride_height, self.stride_width):
            if not 1 <= size <= MAX_KERNEL:
                raise QnnError(subject, f"has a kernel or stride of {size}", f"use 1 to {MAX_KERNEL}")
        self.explicit(subject)

    def explicit(self, subject: str) -> tuple[int, int, int, int] | None:
        """top, bottom, left, right; None for "same" and "valid". Raises QnnError for anything else."""
        if self.padding in (SAME, VALID):
            return None
        words = self.padding.split()
        if len(words) not in (1, 4) or not all(word.isascii() and word.isdigit() and len(word) < 4 for word in words):
            raise QnnError(
                subject, f"has the padding {self.padding[:40]!r}", "use same, valid, pad P or pad TOP BOTTOM LEFT RIGHT"
            )
        top, bottom, left, right = (int(word) for word in (words * 4 if len(words) == 1 else words))
        kernel = (self.kernel_height, self.kernel_height, self.kernel_width, self.kernel_width)
        if any(pad >= size for pad, size in zip((top, bottom, left, right), kernel, strict=True)):
            raise QnnError(subject, f"pads {self.padding}, not less than its kernel", "pad less, or add a pad layer")
        return top, bottom, left, right

    def window(self, shape: Shape, subject: str) -> Window:
        """The Window over one sample of `shape`: (H, W, C), or (L, C), which counts as (1, L, C).

        Raises QnnError if it does not fit.
        """
        if len(shape) not in (2, 3):
            remedy = 'it needs maps: put "reshape HEIGHTxWIDTHxCHANNELS" before it, or use conv1d'
            raise QnnError(subject, f"cannot take samples of shape {shape}", remedy)
        height, width, channels = map_size(shape)
        given = self.explicit(subject)
        top, bottom, left, right = given or (0, 0, 0, 0)
        if self.padding == SAME:
            top, bottom = _same(height, self.kernel_height, self.stride_height)
            left, right = _same(width, self.kernel_width, self.stride_width)
        rows, columns = height + top + bottom - self.kernel_height, width + left + right - self.kernel_width
        if rows < 0 or columns < 0:
            kernel = f"{self.kernel_height}x{self.kernel_width}"
            raise QnnError(subject, f"has a {kernel} kernel on a map of {height}x{width}", "use a smaller one, or same")
        out = (rows // self.stride_height + 1, columns // self.stride_width + 1)
        strides = (self.stride_height, self.stride_width)
        return Window(height, width, channels, self.kernel_height, self.kernel_width, *strides, top, left, *out)


def map_size(shape: Shape) -> tuple[int, int, int]:
    """Height, width and channels of a sample (H, W, C), or (L, C), which counts as (1, L, C)."""
    height, width, channels = (1, *shape) if len(shape) == 2 else shape
    return height, width, channels


def map_shape(window: Window, channels: int, like: Shape) -> Shape:
    """The output's shape: (rows, columns, channels), or (columns, channels) if the input was `like` (L, C)."""
    rows = () if len(like) == 2 else (window.out_height,)
    return (*rows, window.out_width, channels)


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """The padding before and after a row of `size` for ceil(size / stride) outputs."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
