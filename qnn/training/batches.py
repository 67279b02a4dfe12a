# SPDX-License-Identifier: MIT
"""Batches of a dataset as the network's floats, in buffers that are made once."""

from __future__ import annotations

import numpy as np

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.model import Normalization
from qnn.normalize import normalize_into, normalize_targets
from qnn.training.augment import Augmentation, Warper, cut, shifted

MAX_BATCH_BYTES = 1 << 30
UNCHANGED = Augmentation()


class Batches:
    """Reads rows of a dataset; what `read` returns is valid until the next call."""

    def __init__(
        self, dataset: Dataset, normalization: Normalization, batch: int, augmentation: Augmentation = UNCHANGED
    ) -> None:
        """`batch`: the most rows of one `read`."""
        shape, shift = dataset.schema.shape, augmentation.shift
        if batch * int(np.prod(shape)) * 4 > MAX_BATCH_BYTES:
            raise QnnError(f"--batch {batch}", f"of samples of shape {shape} needs too much memory", "use fewer")
        self._x = dataset.x
        self._y = dataset.y
        self._normalization = normalization
        self._raw = np.empty((batch, *shape), dataset.x.dtype)
        self._floats = np.empty((batch, *shape), np.float32)
        self._augmentation = augmentation
        self._warper = Warper(shape, batch, augmentation) if augmentation.warps else None
        moves = shift and not augmentation.warps
        self._padded = np.empty((batch, *_padded_shape(shape, shift)), dataset.x.dtype) if moves else self._raw

    def read(self, rows: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
        """Inputs float32 (n, *shape) and targets of the rows: int64 (n,) classes or normalized float32 (n, T).

        With `rng` images are changed at random.
        """
        raw = self._raw[: len(rows)]
        np.take(self._x, rows, axis=0, out=raw, mode="clip")
        targets = np.zeros(0) if self._y is None else self._y[rows]
        if targets.ndim > 1:
            targets = normalize_targets(self._normalization, targets)
        return self._inputs(raw, rng), targets

    def _inputs(self, raw: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        floats, augmentation = self._floats[: len(raw)], self._augmentation
        if rng is None:
            normalize_into(self._normalization, raw, floats)
            return floats
        if self._warper is not None:  # images have one scale and one offset
            np.subtract(self._warper.warp(raw, rng), np.float32(self._normalization.offset), out=floats)
            floats *= np.float32(self._normalization.scale)
        else:
            moved = augmentation.shift > 0
            raw = shifted(raw, self._padded[: len(raw)], augmentation.shift, rng) if moved else raw
            normalize_into(self._normalization, raw, floats)
        if augmentation.cutout:
            cut(floats, augmentation.cutout, rng)
        return floats


def _padded_shape(shape: tuple[int, ...], shift: int) -> tuple[int, ...]:
    return (shape[0] + 2 * shift, shape[1] + 2 * shift, *shape[2:])
