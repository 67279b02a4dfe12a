# SPDX-License-Identifier: MIT
"""Batches of a dataset as the network's floats, in buffers that are made once."""

from __future__ import annotations

import numpy as np

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.model import Normalization
from qnn.normalize import normalize_into, normalize_targets

MAX_BATCH_BYTES = 1 << 30


class Batches:
    """Reads rows of a dataset; what `read` returns is valid until the next call."""

    def __init__(self, dataset: Dataset, normalization: Normalization, batch: int, shift: int) -> None:
        """`batch`: the most rows of one `read`; `shift`: the largest random shift of images, in pixels."""
        shape = dataset.schema.shape
        if batch * int(np.prod(shape)) * 4 > MAX_BATCH_BYTES:
            raise QnnError(f"--batch {batch}", f"of samples of shape {shape} needs too much memory", "use fewer")
        self._x = dataset.x
        self._y = dataset.y
        self._normalization = normalization
        self._raw = np.empty((batch, *shape), dataset.x.dtype)
        self._floats = np.empty((batch, *shape), np.float32)
        self._shift = shift
        self._padded = np.empty((batch, *_padded_shape(shape, shift)), dataset.x.dtype) if shift else self._raw

    def read(self, rows: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
        """Inputs float32 (n, *shape) and targets of the rows: int64 (n,) classes or normalized float32 (n, T).

        With `rng` images are shifted at random.
        """
        raw, floats = self._raw[: len(rows)], self._floats[: len(rows)]
        np.take(self._x, rows, axis=0, out=raw, mode="clip")
        if self._shift and rng is not None:
            raw = shifted(raw, self._padded[: len(rows)], self._shift, rng)
        normalize_into(self._normalization, raw, floats)
        targets = np.zeros(0) if self._y is None else self._y[rows]
        if targets.ndim > 1:
            targets = normalize_targets(self._normalization, targets)
        return floats, targets


def shifted(images: np.ndarray, padded: np.ndarray, shift: int, rng: np.random.Generator) -> np.ndarray:
    """Each of images (n, H, W, C) moved by -shift..shift pixels in both directions; its border repeats outwards.

    `padded`: a buffer (n, H + 2 * shift, W + 2 * shift, C).
    """
    count, height, width, channels = images.shape
    padded[:, shift : shift + height, shift : shift + width] = images
    padded[:, :shift, shift : shift + width] = images[:, :1]
    padded[:, shift + height :, shift : shift + width] = images[:, -1:]
    padded[:, :, :shift] = padded[:, :, shift : shift + 1]
    padded[:, :, shift + width :] = padded[:, :, shift + width - 1 : shift + width]
    n, h, w, c = padded.strides
    places = 2 * shift + 1
    windows = np.lib.stride_tricks.as_strided(
        padded, (count, places, places, height, width, channels), (n, h, w, h, w, c), writeable=False
    )
    down, right = rng.integers(0, places, (2, count))
    return np.asarray(windows[np.arange(count), down, right])


def _padded_shape(shape: tuple[int, ...], shift: int) -> tuple[int, ...]:
    return (shape[0] + 2 * shift, shape[1] + 2 * shift, *shape[2:])
