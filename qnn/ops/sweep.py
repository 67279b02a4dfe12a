# SPDX-License-Identifier: MIT
"""Filters of 3x3 taps that sweep over one channel: when they may, and the parameters of the kernel."""

from __future__ import annotations

import numpy as np

from qnn.ops.ckernel import WEIGHTS, CArray, CField, CKernel, CStruct
from qnn.ops.requantize import Finish
from qnn.ops.window import Window

TAPS = 3  # a side
MAX_STRIDE = 2  # along a line
REASON = "one product each: 3x3 weights stay in registers"


def sweeps(window: Window) -> bool:
    """May filters on single channels of such a window sweep?"""
    square = (window.kernel_height, window.kernel_width) == (TAPS, TAPS)
    stride = window.stride_height if _vertical(window) else window.stride_width
    return square and stride <= MAX_STRIDE


def sweep_kernel(
    window: Window, multiplier: int, weights: np.ndarray, pad_value: int, done: Finish, suffix: str
) -> CKernel:
    """The call for int8 weights (O, 3, 3), O = channels * multiplier, whose lines run along the longer side."""
    vertical = _vertical(window)
    across, along = (1, 0) if vertical else (0, 1)
    ordered = weights.reshape(-1, TAPS, TAPS) if vertical else weights.reshape(-1, TAPS, TAPS).transpose(0, 2, 1)
    fields = (
        CField("channels", window.channels),
        CField("multiplier", multiplier),
        CField("across", _axis(window, across, len(weights))),
        CField("along", _axis(window, along, len(weights))),
        CField("pad_value", pad_value),
        CField("weights", CArray("int8_t", ordered, WEIGHTS)),
        CField("bias", CArray("int32_t", done.bias, WEIGHTS)),
        CField("requantize", done.struct),
    )
    name = f"qnn_depthwise_3x3_u8_{suffix}"
    return CKernel("qnn_depthwise_3x3.h", name, "qnn_depthwise_3x3_t", fields, 0, REASON)


def _vertical(window: Window) -> bool:
    """Do the lines run down the map?"""
    return window.out_height > window.out_width


def _axis(window: Window, axis: int, filters: int) -> CStruct:
    """The qnn_sweep_t of the rows (0) or the columns (1)."""
    size, step, pad, stride, out_size, out_step = (
        (
            window.height,
            window.width * window.channels,
            window.pad_top,
            window.stride_height,
            window.out_height,
            window.out_width * filters,
        ),
        (window.width, window.channels, window.pad_left, window.stride_width, window.out_width, filters),
    )[axis]
    return CStruct(
        (
            CField("size", size),
            CField("step", step),
            CField("pad", pad),
            CField("stride", stride),
            CField("out_size", out_size),
            CField("out_step", out_step),
        )
    )
