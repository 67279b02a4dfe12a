# SPDX-License-Identifier: MIT
"""Which classes a network takes for which, and samples that it gets wrong, for a report's JSON: bounded."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from qnn.graph import Graph
from qnn.metrics import answers_on
from qnn.model import Model
from qnn.report.png import png

MOST_CLASSES = 40  # of a confusion matrix
SHOWN, SHOWN_FEATURES = 24, 12
PICTURE_BYTES = 32 << 10  # of all pictures of a row
LARGEST_SIDE, SMALLEST_SIDE = 48, 4  # pixels: larger pictures are thinned out, smaller ones are none


def mistakes(graph: Graph, network: Model | None, answers: np.ndarray, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """The fields "classes", "confusion" (of at most MOST_CLASSES) and "wrong" of a row; none of a regression.

    answers, y: the classes (N,) that `graph` gives and the right ones for raw samples x (N, *shape). network: the float
    model, which is asked for what it gives; None where there is none.
    """
    if graph.schema.task != "classification":
        return {}
    count = max(len(graph.schema.classes), int(max(answers.max(), y.max())) + 1)
    names = [*graph.schema.classes, *(str(index) for index in range(len(graph.schema.classes), count))]
    counts = np.bincount(y * count + answers, minlength=count**2).reshape(count, count)
    wrong = np.flatnonzero(answers != y)
    features = [feature.name for feature in graph.schema.features[:SHOWN_FEATURES]]
    shown = _shown(graph, network, answers, x, y, wrong)
    found = {"classes": names, "wrong": {"count": len(wrong), "features": features, "shown": shown}}
    return found | ({"confusion": counts.tolist()} if count <= MOST_CLASSES else {})


def _shown(
    graph: Graph, network: Model | None, answers: np.ndarray, x: np.ndarray, y: np.ndarray, wrong: np.ndarray
) -> list[dict[str, Any]]:
    """SHOWN of the samples `wrong`, evenly spaced, or as many as there is room for."""
    rows = wrong[np.unique(np.linspace(0, max(len(wrong) - 1, 0), min(len(wrong), SHOWN)).round().astype(np.int64))]
    floats = answers_on(network, x[rows]) if network is not None and len(rows) else None
    found: list[dict[str, Any]] = []
    room, brightest = PICTURE_BYTES, int(x.max()) if len(rows) else 0
    for position, row in enumerate(rows.tolist()):
        one = {"sample": row, "right": int(y[row]), "given": int(answers[row])}
        one["float"] = None if floats is None else int(floats[position])
        if is_picture(graph):
            one["picture"] = base64.b64encode(png(_pixels(x[row], brightest))).decode("ascii")
            room -= len(one["picture"])
            if room < 0:
                break
        elif graph.schema.features:
            one["values"] = _values(graph, x[row])
        found.append(one)
    return found


def is_picture(graph: Graph) -> bool:
    """Are the raw samples pictures, grey or coloured?"""
    shape = graph.input.shape
    sizes = len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= SMALLEST_SIDE
    return sizes and graph.input.dtype in ("uint8", "int8")


def _pixels(sample: np.ndarray, brightest: int) -> np.ndarray:
    """uint8 (H, W, C) of a raw sample, thinned out; what is brightest in the data is white."""
    step = -(-max(sample.shape[:2]) // LARGEST_SIDE)
    dark = 128 if sample.dtype == np.int8 else 0
    values = sample[::step, ::step].astype(np.int64) + dark
    return np.clip(values * 255 // max(brightest + dark, 1), 0, 255).astype(np.uint8)


def _values(graph: Graph, sample: np.ndarray) -> list[str]:
    """The first readings as they stand in the data."""
    pairs = zip(graph.schema.features[:SHOWN_FEATURES], sample.reshape(-1).tolist(), strict=False)
    return [f"{raw * 10.0**-feature.decimals:.{max(feature.decimals, 0)}f}" for feature, raw in pairs]
