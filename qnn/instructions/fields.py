# SPDX-License-Identifier: MIT
"""What a kernel's loops run over, read from the parameters that it is called with."""

from __future__ import annotations

from dataclasses import dataclass

from qnn.ops.ckernel import CArray, CField, CKernel, CStruct


class Fields:
    """The fields of a parameter struct by name. Raises KeyError for a field that is not there."""

    def __init__(self, fields: tuple[CField, ...]) -> None:
        self._values = {field.name: field.value for field in fields}

    def __getitem__(self, name: str) -> int:
        """An integer field."""
        value = self._values[name]
        if not isinstance(value, int):
            raise KeyError(name)
        return value

    def struct(self, name: str) -> Fields:
        """A nested struct."""
        value = self._values[name]
        if not isinstance(value, CStruct):
            raise KeyError(name)
        return Fields(value.fields)

    def array(self, name: str) -> CArray | None:
        """An array, None where the pointer is null."""
        value = self._values[name]
        if value is None or isinstance(value, CArray):
            return value
        raise KeyError(name)


@dataclass(frozen=True)
class Called:
    """A kernel's call. zeros: how many aligned groups of four inputs are zero."""

    kernel: CKernel
    elements: int
    zeros: float

    @property
    def fields(self) -> Fields:
        """Its parameters."""
        return Fields(self.kernel.fields)

    @property
    def to_int16(self) -> bool:
        """Are its results of 16 bits?"""
        return self.kernel.function.endswith("_i16")


@dataclass(frozen=True)
class Windows:
    """What the windows of a layer come to.

    pixels: of the output, in `height` rows of `width`. taps: of a window, `kernel_height` rows of them. rows: of all
    windows, as far as they are inside the map. quads, odd: the inputs that lie in these rows, in fours and beyond;
    rows_with_fours, rows_with_ones: of the rows, those that have some. inside: inputs in all windows inside the map;
    outside: the padding. cut: windows that have padding.
    """

    pixels: int
    kernel_height: int
    taps: int
    channels: int
    rows: int
    quads: int
    odd: int
    rows_with_fours: int
    rows_with_ones: int
    inside: int
    cut: int
    height: int
    width: int

    @property
    def fours(self) -> int:
        """Pixels, in fours."""
        return self.pixels // 4

    @property
    def left(self) -> int:
        """Pixels that are left then."""
        return self.pixels % 4

    @property
    def column(self) -> int:
        """Inputs of a window."""
        return self.taps * self.channels

    @property
    def outside(self) -> int:
        """Inputs of all windows that are padding."""
        return self.pixels * self.column - self.inside


def windows_of(window: Fields) -> Windows:
    """The Windows of a qnn_window_t."""
    heights = _inside(
        window["height"], window["kernel_height"], window["stride_height"], window["pad_top"], window["out_height"]
    )
    widths = _inside(
        window["width"], window["kernel_width"], window["stride_width"], window["pad_left"], window["out_width"]
    )
    channels, rows = window["channels"], sum(heights)
    whole = heights.count(window["kernel_height"]) * widths.count(window["kernel_width"])
    pixels = len(heights) * len(widths)
    return Windows(
        pixels=pixels,
        kernel_height=window["kernel_height"],
        taps=window["kernel_height"] * window["kernel_width"],
        channels=channels,
        rows=rows * len(widths),
        quads=rows * sum(width * channels // 4 for width in widths),
        odd=rows * sum(width * channels % 4 for width in widths),
        rows_with_fours=rows * sum(width * channels >= 4 for width in widths),
        rows_with_ones=rows * sum(width * channels % 4 > 0 for width in widths),
        inside=rows * sum(widths) * channels,
        cut=pixels - whole,
        height=len(heights),
        width=len(widths),
    )


def _inside(size: int, kernel: int, stride: int, pad: int, out: int) -> list[int]:
    """How much of each window lies inside the map, along one axis."""
    starts = (index * stride - pad for index in range(out))
    return [min(start + kernel, size) - max(start, 0) for start in starts]
