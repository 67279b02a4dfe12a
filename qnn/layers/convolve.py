# SPDX-License-Identifier: MIT
"""The arithmetic of a convolution over maps (H, W, C, N): forward, by the weights, by the inputs."""

from __future__ import annotations

import numpy as np

from qnn.layers.maps import MAX_COLUMNS, frame_gradient, framed, packed_rows
from qnn.ops.window import Window


def convolve(maps: np.ndarray, weights: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """The sums (R, S, O, N) of maps (H, W, C, N) and weights (O, KH, KW, C), R x S pixels; the packed windows."""
    windows = packed_rows(framed(maps, window, 0.0), window)  # (R, S, K, N)
    return matrix_of(weights) @ windows, windows


def by_weights(gradient: np.ndarray, windows: np.ndarray, window: Window) -> np.ndarray:
    """The gradient by the weights (O, KH, KW, C) from that by the sums (R, S, O, N)."""
    filters, size = gradient.shape[2], windows.shape[2]
    rows = max(1, MAX_COLUMNS // (filters * size * window.out_width))
    total = np.zeros((filters, size), gradient.dtype)
    for row in range(0, window.out_height, rows):
        products = gradient[row : row + rows] @ windows[row : row + rows].swapaxes(2, 3)  # (r, S, O, K)
        total += products.sum(axis=(0, 1))
    return total.reshape(filters, window.kernel_width, window.kernel_height, -1).transpose(0, 2, 1, 3)


def by_maps(gradient: np.ndarray, weights: np.ndarray, window: Window) -> np.ndarray:
    """The gradient by the maps (H, W, C, N) from that by the sums (R, S, O, N)."""
    count, channels = gradient.shape[3], weights.shape[3]
    transposed = np.ascontiguousarray(matrix_of(weights).T)  # (K, O)
    whole, inside = frame_gradient(window, channels, count, gradient.dtype)
    columns, step = whole.shape[1], window.stride_width
    rows = max(1, MAX_COLUMNS // (transposed.shape[0] * window.out_width * count))
    for first in range(0, window.out_height, rows):
        part = transposed @ gradient[first : first + rows]  # (r, S, K, N)
        part = part.reshape(-1, window.out_width, window.kernel_width, window.kernel_height, channels, count)
        if window.out_width == 1:
            packed = part[:, 0]  # (r, columns, KH, C, N)
        else:
            packed = np.zeros((len(part), columns, window.kernel_height, channels, count), gradient.dtype)
            for column in range(window.kernel_width):
                packed[:, column : column + step * window.out_width : step] += part[:, :, column]
        top = first * window.stride_height
        for row in range(window.kernel_height):
            whole[top + row :: window.stride_height][: len(part)] += packed[:, :, row]
    return inside


def matrix_of(weights: np.ndarray) -> np.ndarray:
    """Weights (O, KH, KW, C) as (O, K), in the order of packed windows: columns, rows, channels."""
    return np.ascontiguousarray(weights.transpose(0, 2, 1, 3).reshape(len(weights), -1))
