# SPDX-License-Identifier: MIT
"""The geometry that convolutions and pools share: a window slides over a padded map (SPEC 5.7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnn.ops.ckernel import CField, CStruct
from qnn.ops.op import MAX_ELEMENTS, TensorType, expect

MAX_PADDED_KERNEL = 64  # a kernel beyond its map needs padding; only a pool over all of a map may be larger than this
MAX_COLUMNS = 1 << 28  # values of one sample that windows cover, counted as often as they are covered


@dataclass(frozen=True)
class Window:
    """A kernel of kernel_height x kernel_width taps moves over a map of height x width x channels.

    Output pixel (r, c) covers the rows r * stride_height - pad_top and following, likewise the columns.
    out_height, out_width: the output's map. What lies outside the map is padding.
    """

    height: int
    width: int
    channels: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    pad_top: int
    pad_left: int
    out_height: int
    out_width: int

    @property
    def taps(self) -> int:
        """Taps of the kernel."""
        return self.kernel_height * self.kernel_width

    @property
    def pixels(self) -> int:
        """Pixels of the output's map."""
        return self.out_height * self.out_width

    @property
    def around(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """How far windows reach beyond the map: above and below it, left and right of it."""
        bottom = (self.out_height - 1) * self.stride_height + self.kernel_height - self.pad_top - self.height
        right = (self.out_width - 1) * self.stride_width + self.kernel_width - self.pad_left - self.width
        return (self.pad_top, max(bottom, 0)), (self.pad_left, max(right, 0))

    @property
    def pads(self) -> bool:
        """Does some window reach beyond the map?"""
        return self.around != ((0, 0), (0, 0))

    def check(self, subject: str, x: TensorType) -> None:
        """Raises QnnError unless the geometry is possible and every window touches the map."""
        maps = (self.height, self.width, self.channels, self.out_height, self.out_width)
        sizes = (*maps, self.kernel_height, self.kernel_width, self.stride_height, self.stride_width)
        expect(min(sizes) >= 1 and max(sizes) <= MAX_ELEMENTS, subject, "its window is impossible")
        expect(self.height * self.width * self.channels == x.elements, subject, "its window does not fit its input")
        axes = (
            (self.height, self.kernel_height, self.stride_height, self.pad_top, self.out_height),
            (self.width, self.kernel_width, self.stride_width, self.pad_left, self.out_width),
        )
        for size, kernel, stride, pad, out in axes:
            expect(0 <= pad < kernel, subject, "its padding is not below its kernel")
            expect((out - 1) * stride - pad < size, subject, "its last window lies outside the map")
            expect(kernel <= max(size, MAX_PADDED_KERNEL), subject, "its kernel is too large for its map")
        padded = (self.height + sum(self.around[0])) * (self.width + sum(self.around[1])) * self.channels
        columns = self.pixels * self.taps * self.channels
        expect(padded <= MAX_ELEMENTS and columns <= MAX_COLUMNS, subject, "its window is too large")

    def columns(self, x: np.ndarray, fill: int) -> np.ndarray:
        """View-like (N, out_height, out_width, channels, kernel_height, kernel_width) of maps x, padding is `fill`."""
        maps = x.reshape(-1, self.height, self.width, self.channels)
        if self.pads:
            maps = np.pad(maps, ((0, 0), *self.around, (0, 0)), constant_values=fill)
        windows = np.lib.stride_tricks.sliding_window_view(maps, (self.kernel_height, self.kernel_width), (1, 2))
        stepped = windows[:, :: self.stride_height, :: self.stride_width]
        return stepped[:, : self.out_height, : self.out_width]

    def struct(self) -> CStruct:
        """The qnn_window_t of c_runtime/qnn_window.h."""
        names = (
            ("height", self.height),
            ("width", self.width),
            ("channels", self.channels),
            ("kernel_height", self.kernel_height),
            ("kernel_width", self.kernel_width),
            ("stride_height", self.stride_height),
            ("stride_width", self.stride_width),
            ("pad_top", self.pad_top),
            ("pad_left", self.pad_left),
            ("out_height", self.out_height),
            ("out_width", self.out_width),
        )
        return CStruct(tuple(CField(name, value) for name, value in names))


def too_many_counts(window: Window) -> bool:
    """May windows that pad cover more different numbers of positions than constants are looked for?"""
    return bool(window.pads) and window.taps > MAX_PADDED_KERNEL**2
