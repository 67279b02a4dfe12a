# SPDX-License-Identifier: MIT
"""Convolutions on maps of pairs: exact for every geometry and every weight of four bits, chosen only where proven."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from graphs import edge_samples
from pairgraphs import narrow_weights, pairs_graph
from test_differential import breakage_shows, compare, write_graph

from qnn.engines.host import ADDRESS_SANITIZED, SANITIZED, HostEngine
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.fixedpoint import requantization
from qnn.graph import Graph
from qnn.ops.op import TensorType
from qnn.ops.pairs import HALF, eights, fits_shifted, map_words, pair_chunk, pair_words, reads_pairs
from qnn.ops.window import Window

BROKEN = (
    ("s.d1 += (*x)[at + 3] * w1;", "s.d1 += (*x)[at + 2] * w1;"),
    ("#define QNN_PAIRS_BEGIN 0x8000u", "#define QNN_PAIRS_BEGIN 0x0000u"),
    ("second += qnn_pairs_product(x, QNN_READ(w[1]));", "second += qnn_pairs_product(x, QNN_READ(w[0]));"),
    ("acc[0] += qnn_pairs_upper(first), ", "acc[0] = qnn_pairs_upper(first), "),
    ("qnn_pairs_put(p, o + 1, acc[1], y);", "qnn_pairs_put(p, o + 1, acc[0], y);"),
    ("(w & 0x000F000Fu) - 0x00080008u;", "(w & 0x000F000Fu) - 0x00080007u;"),
    ("*to++ = *from | (pad << 16);", "*to++ = *from | (pad << 17);"),
    ("to = qnn_pairs_fill(to, to + left, pad * 0x00010001u);", "to = qnn_pairs_fill(to, to + left, 0);"),
    ("to = qnn_pairs_fill(to, end, pad * 0x00010001u);", "to = qnn_pairs_fill(to, end, pad);"),
    ("x[3 * QNN_PAIRS_STEP] * qnn_pairs_weights(w >> 12);", "x[3 * QNN_PAIRS_STEP] * qnn_pairs_weights(w >> 8);"),
    ("(int32_t)(acc << c->prescale));", "(int32_t)acc);"),
    ("to[2] = third;", "to[2] = third + 1u;"),
    ("v += 2 * p->chunk) {", "v += p->chunk) {"),
    ("acc[6] += qnn_pairs_upper(s.c1)", "acc[6] = qnn_pairs_upper(s.c1)"),
    ("pixel->row * p->stride_height * pairs->row", "pixel->row * pairs->row"),
)


def samples_of(rng: np.random.Generator, graph: Graph) -> np.ndarray:
    """Edges, and maps that are all of one value."""
    x = edge_samples(rng, graph, 20)
    return np.concatenate([x, np.full_like(x[:1], 255), np.full_like(x[:1], 1)])


@pytest.mark.parametrize("seed", range(24))
def test_host(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = pairs_graph(rng)
    flags, program = ((("-O2",), False), (("-O0", *SANITIZED), True), (("-O1", *ADDRESS_SANITIZED), True))[seed % 3]
    engine = HostEngine(write_graph(graph, tmp_path / "net"), interface_of(graph), flags=flags, program=program)
    compare(graph, samples_of(rng, graph), engine)
    engine.close()


@pytest.mark.parametrize("seed", range(100, 112))
def test_rv32(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = pairs_graph(rng)
    engine = UnicornEngine(write_graph(graph, tmp_path / "net"), interface_of(graph))
    compare(graph, samples_of(rng, graph), engine)
    engine.close()


@pytest.mark.parametrize(("good", "bad"), BROKEN)
def test_broken_kernels_are_noticed(tmp_path: Path, good: str, bad: str) -> None:
    assert any(breakage_shows(tmp_path / str(seed), good, bad, seed, pairs_graph) for seed in range(60))


@pytest.mark.parametrize("seed", range(30))
def test_chunks_are_as_long_as_proven(seed: int) -> None:
    """Over every chunk both parts of the sums stay within int16 for the worst inputs; one more word would not do."""
    rng = np.random.default_rng(seed)
    weights = narrow_weights(rng, (3, 3, 3, int(rng.choice([2, 5, 12, 40]))))
    x = TensorType((9, 9, weights.shape[3]), "uint8", 0, int(rng.choice([15, 200, 255])))
    found = eights(weights)
    chunk = pair_chunk(found, x)

    def worst(words: int) -> int:
        ends = [0]
        for start in range(0, found.shape[1], words):
            part = found[:, start : start + words]
            for values in (part, part[..., 1::2]):
                ends += [int(np.where(values * sign > 0, abs(values), 0).sum(axis=(1, 2)).max()) for sign in (1, -1)]
        return max(ends) * x.high

    assert worst(chunk) < HALF or chunk == 1
    assert chunk == found.shape[1] or worst(chunk + 1) >= HALF
    assert 8 * 8 * 255 < HALF  # one word always fits


def test_words_hold_the_weights() -> None:
    weights = np.arange(-8, 8, dtype=np.int8).reshape(1, 2, 2, 4)
    words = pair_words(eights(weights))
    for word, part in zip(words[0].tolist(), weights.reshape(2, 8).tolist(), strict=True):
        for pair in range(4):
            shifted = word >> 4 * pair
            assert ((shifted >> 16 & 15) - 8, (shifted & 15) - 8) == (part[2 * pair], part[2 * pair + 1])


def test_where_it_is_not_chosen() -> None:
    window = Window(8, 8, 3, 3, 3, 2, 2, 0, 0, 3, 3)
    x = TensorType((8, 8, 3), "uint8", 0, 255)
    weights = np.full((2, 3, 3, 3), 7, np.int8)
    assert reads_pairs(window, weights, x)
    assert not reads_pairs(replace(window, stride_width=1), weights, x)  # windows at odd inputs
    assert not reads_pairs(replace(window, pad_left=1), weights, x)
    assert not reads_pairs(window, weights + 1, x)
    assert not reads_pairs(window, weights, replace(x, dtype="int16", low=-32768, high=32767))
    large = Window(90, 90, 4, 3, 3, 1, 1, 0, 0, 88, 88)
    assert map_words(large) == 90 * 180
    assert not reads_pairs(large, np.ones((2, 3, 3, 4), np.int8), replace(x, shape=(90, 90, 4)))
    once = requantization(np.array([0.001]), 0, 0, 255)
    assert fits_shifted(once, (-(1 << 30), 1 << 30))
    assert not fits_shifted(requantization(np.array([2.0]), 0, 0, 255), (-(1 << 29), 1 << 29))
