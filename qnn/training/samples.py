# SPDX-License-Identifier: MIT
"""The training samples that a model carries with it, to be calibrated on later."""

from __future__ import annotations

import numpy as np

from qnn.data.dataset import Dataset
from qnn.model import MAX_STORED_SAMPLES


def choose_samples(
    dataset: Dataset, rng: np.random.Generator, count: int = MAX_STORED_SAMPLES
) -> tuple[np.ndarray, np.ndarray | None]:
    """Up to `count` training samples (n, *shape), in the order of the data, and their labels, as Dataset.y.

    Stratified: evenly spaced along the training rows sorted by class (or by the first target) after a shuffle.
    """
    rows = rng.permutation(dataset.train)
    if dataset.y is not None:
        order = dataset.y[rows] if dataset.y.ndim == 1 else dataset.y[rows, 0]
        rows = rows[np.argsort(order, kind="stable")]
    places = (np.arange(min(count, len(rows))) + 0.5) * len(rows) / max(1, min(count, len(rows)))
    chosen = np.sort(rows[places.astype(np.int64)])
    labels = None if dataset.y is None else np.ascontiguousarray(dataset.y[chosen])
    return np.ascontiguousarray(dataset.x[chosen]), labels
