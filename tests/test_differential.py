# SPDX-License-Identifier: MIT
"""Simulator, host C and RV32 code agree in every bit on random graphs, edges and ties; broken kernels are noticed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from choicegraphs import chosen_graph
from graphs import RECORD, edge_samples, random_graph, random_schema, value_heads
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from importgraphs import random_imported_graph
from mapgraphs import random_map_graph, rare_graph
from tightgraphs import tight_graph
from widegraphs import random_wide_graph

from qnn import toolchain
from qnn.check import check
from qnn.compiler import build_graph, write_build
from qnn.emitter.header import header_text
from qnn.emitter.runtime import renamed
from qnn.engines.engine import Engine
from qnn.engines.host import ADDRESS_SANITIZED, SANITIZED, HostEngine
from qnn.engines.interface import interface_of
from qnn.engines.job import QUANTIZED_RUN
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.fixedpoint import INT32_MAX, INT32_MIN, requantization
from qnn.graph import INPUT, Graph, Node
from qnn.inputs import quantize_op
from qnn.memory import plan_memory
from qnn.ops.conv2d import Conv2d
from qnn.ops.dense import Dense
from qnn.ops.op import TensorType
from qnn.ops.window import Window
from qnn.simulator import simulate, tensor_names

SEEDS = st.integers(0, 1 << 30)
EVERY = (
    rare_graph,
    random_graph,
    random_map_graph,
    random_imported_graph,
    random_wide_graph,
    chosen_graph,
    tight_graph,
)
MAKERS = st.sampled_from(EVERY)
Make = Callable[[np.random.Generator], Graph]
FEW = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write_graph(graph: Graph, folder: Path) -> Path:
    """`folder`, with the graph's build in it."""
    write_build(build_graph(graph, None, None), folder)
    return folder


def compare(graph: Graph, x: np.ndarray, engine: Engine) -> None:
    """Every head, the output and every node's tensor are equal, and so is what NAME_run_q gives."""
    expected = simulate(graph, x, keep=tensor_names(graph))
    got = engine.run(x, expected[graph.quantized_input]) | engine.trace(x)
    assert np.array_equal(got[QUANTIZED_RUN], expected[graph.output]), f"NAME_run_q\n{graph}"
    for name in tensor_names(graph)[1:]:
        assert np.array_equal(got[name], expected[name]), f"{name}\n{graph}"


@given(SEEDS, MAKERS)
@FEW
def test_host_without_optimization_under_ubsan(tmp_path_factory: pytest.TempPathFactory, seed: int, make: Make) -> None:
    rng = np.random.default_rng(seed)
    graph = make(rng)
    folder = write_graph(graph, tmp_path_factory.mktemp("net"))
    engine = HostEngine(folder, interface_of(graph), flags=("-O0", *SANITIZED), program=True)
    compare(graph, edge_samples(rng, graph, 12), engine)
    engine.close()


@given(SEEDS, MAKERS)
@FEW
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_host_optimized(tmp_path_factory: pytest.TempPathFactory, compiler: str, seed: int, make: Make) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed: this test did not run")
    rng = np.random.default_rng(seed)
    graph = make(rng)
    folder = write_graph(graph, tmp_path_factory.mktemp("net"))
    engine = HostEngine(folder, interface_of(graph), toolchain.probe(compiler, "test"))
    compare(graph, edge_samples(rng, graph, 40), engine)
    engine.close()


@given(SEEDS, MAKERS)
@FEW
def test_host_keeps_within_its_memory(tmp_path_factory: pytest.TempPathFactory, seed: int, make: Make) -> None:
    """Scratch memory of exactly NAME_SCRATCH_BYTES, watched by the address sanitizer."""
    rng = np.random.default_rng(seed)
    graph = make(rng)
    folder = write_graph(graph, tmp_path_factory.mktemp("net"))
    engine = HostEngine(folder, interface_of(graph), flags=("-O1", *ADDRESS_SANITIZED), program=True)
    compare(graph, edge_samples(rng, graph, 6), engine)
    engine.close()


@given(SEEDS, MAKERS)
@FEW
def test_rv32(tmp_path_factory: pytest.TempPathFactory, seed: int, make: Make) -> None:
    rng = np.random.default_rng(seed)
    graph = make(rng)
    folder = write_graph(graph, tmp_path_factory.mktemp("net"))
    engine = UnicornEngine(folder, interface_of(graph))
    compare(graph, edge_samples(rng, graph, 24), engine)
    engine.close()


def test_long_rows(tmp_path: Path) -> None:
    """Rows of more inputs than one partial sum of a packed window may hold."""
    rng = np.random.default_rng(5)
    raw = TensorType((2, 5, 260), "uint8", 0, 255, 1 / 255)
    kind = TensorType((1, 3, 4), "int16", -32768, 32767, 0.02)
    window = Window(2, 5, 260, 2, 3, 1, 1, 0, 0, 1, 3)
    constants = requantization(np.full(4, 2.0**-9), 0, kind.low, kind.high)
    weights = rng.integers(-60, 61, (4, 2, 3, 260)).astype(np.int8)
    node = Node("final", Conv2d(window, weights, np.zeros(4, np.int64), 0, constants), (INPUT,), kind)
    schema = random_schema(raw, kind, False)
    graph = check(Graph("net", schema, RECORD, raw, (node, *value_heads(rng, "final", kind)), "final", INPUT))
    assert graph.kernels[0].header == "qnn_conv2d_dual.h"
    engine = HostEngine(write_graph(graph, tmp_path / "net"), interface_of(graph), flags=SANITIZED, program=True)
    compare(graph, np.stack([np.full(raw.shape, 255, np.uint8), *edge_samples(rng, graph, 8)]), engine)
    engine.close()


BREAKAGES = (
    ("s.d1 += (*x)[at + 6] * w1;", "s.d1 += (*x)[at + 4] * w1;"),
    ("t.a1 += s.a1 >> 16", "t.a1 += s.a0 >> 16"),
    ("x[QNN_DUAL_STEP] * qnn_narrow_pair(v >> 4)", "x[QNN_DUAL_STEP] * qnn_narrow_pair(v)"),
    ("s += x[3] * qnn_narrow_pair(w >> 12);", "s += x[3] * qnn_narrow_pair(w >> 8);"),
    ("t3 += s3 >> 16;", "t3 += s3 >> 17;"),
    ("words[1] = second << shift;", "words[1] = second << (8 - shift);"),
    ("s.c += qnn_dual_high(v, w->second[2]);", "s.c += v & 0;"),
    ("s3 += qnn_dual_high(x[7], second);", "s3 += second & 0;"),
    ("(step == 3 ? o - 3 * block :", "(step == 3 ? 0 :"),
    ("to = qnn_dual_fill(to, pad, before);", "to = qnn_dual_fill(to, (uint8_t)(pad + 1), before);"),
    ("return p->prescale != 0;", "return p->low > p->high;"),
    ("q -= (q ^ (c->constant >> c->shift)) & 1;", "q -= q & 1;"),
    ("q -= (q ^ (c->constant >> c->shift)) & 1;", ""),
    ("i < 4; i++, y = qnn_after(y, p->filters)) {", "i < 3; i++, y = qnn_after(y, p->filters)) {"),
    ("uint64_t half = shift > 32 ?", "uint64_t half = shift > 99 ?"),
    ("q = (int32_t)high_word >> (shift - 32);", "q = (int32_t)(high_word >> (shift - 32));"),
    ("q = (int32_t)((high_word << (32 - shift)) | (low_word >> shift));", "q = (int32_t)(low_word >> shift);"),
    ("qnn_requantize(&p->scale, 1, b[i] * QNN_ADD16_UNITS)", "qnn_requantize(&p->scale, 0, b[i] * QNN_ADD16_UNITS)"),
    ("return (value < 0 ? ((int32_t)1 << 25) - part + 511", "return (value < 0 ? ((int32_t)1 << 25) - part + 512"),
    ("part - ((int32_t)1 << 23) + 128) >> 8;", "part - ((int32_t)1 << 23) + 127) >> 8;"),
    ("if (index >= 255) {", "if (index > 255) {"),
    ("(next - first) * (place & 127) + 64) >> 7", "(next - first) * (place & 127) + 63) >> 7"),
    ("place = (int32_t)(((uint32_t)total + ((uint32_t)1 << 13)) >> 14)", "place = (int32_t)((uint32_t)total >> 14)"),
    ("q = q > 32767 ? 32767 : q;", ""),
    (", 0, (int32_t)a[i + j] * b[j])", ", 0, (int32_t)a[j] * b[j])"),
    ("qnn_copy(x, 2 * p->elements, y);", "qnn_copy(x, p->elements, y);"),
    ("v.second[2] = w2 ^ v.first[2];", "v.second[2] = w1 ^ v.first[1];"),
    ("^ flip) * (uint32_t)w;", "^ flip) * (uint8_t)w;"),
    ("x[QNN_READ(*place) ^ turn]", "x[(QNN_READ(*place) & ~1u) ^ turn]"),
    ("uint32_t flip = p->flips ? 0x80u : 0;", "uint32_t flip = p->flips ? 0x81u : 0;"),
    ("qnn_rest_sum(rest, o + i, x, 0, flip)", "qnn_rest_sum(rest, o, x, 0, flip)"),
    ("qnn_rest_sum(rest, o, x, 0, flip)", "qnn_rest_sum(rest, 0, x, 0, flip)"),
    ("qnn_rest_add_four(rest, o, columns->words, sums);", "qnn_rest_add_four(rest, 0, columns->words, sums);"),
    ("s3 += x[24] * (uint32_t)w;", "s3 += x[16] * (uint32_t)w;"),
    ("(columns->words + 2 * i), QNN_REST_TURN, 0);", "columns->words, QNN_REST_TURN, 0);"),
    ("y = qnn_window_copy(y, b, p->channels2);", "y = qnn_window_copy(y, a, p->channels2);"),
    ("int32_t first = (now.row * p->stride_height * p->width", "int32_t first = (now.row * p->width"),
    ("begun += qnn_three_sum(qnn_lines_read(&from), f.w[1]);", "begun += qnn_three_sum(x, f.w[1]);"),
    ("uint32_t shifted = (uint32_t)accumulator << c->prescale;", "uint32_t shifted = (uint32_t)accumulator;"),
    (
        "distance = (distance < limit ? distance : limit) << prescale;",
        "distance = (distance < limit ? distance : 0) << prescale;",
    ),
    ("to.sum += value * (uint32_t)count;", ""),
    ("from += 4, to.words += QNN_DUAL_STEP;", "to.words += QNN_DUAL_STEP;"),
    ("return first + (second >> 8);", "return first;"),
    ("return (halves & 0xFFFFu) + (halves >> 16);", "return halves & 0xFFFFu;"),
    ("c->lowest * inputs);", "c->lowest + inputs);"),
    ("return (a * (w & 0x00FF00FFu)) >> 16;", "return (a * (w & 0x00FF00FEu)) >> 16;"),
    ("* second) >> 32) & 0xFFFFu;", "* second) >> 32) & 0x7FFFu;"),
    ("return x0 + x1 + x2 + x3;", "return x0 + x1 + x2;"),
    ("last[i] = x[i];", "last[i] = x[0];"),
    ("if (sum == 0) {", "if (sum <= 300) {"),
    ("w = weights + (*offset >> 5);", "w = weights + (*offset >> 6);"),
    ("s7 += qnn_dual_first(a, QNN_READ(w[7])) + qnn_dual_second(b, QNN_READ(w[7]));", "s7 += qnn_dual_first(a, w[7]);"),
    ("inside.top = y < 0 ? -y : 0;", "inside.top = 0;"),
    ("inside.left = x < 0 ? -x : 0;", "inside.left = 0;"),
    ("? p->height - y : p->kernel_height;", "? p->height - y - 1 : p->kernel_height;"),
    ("? p->width - x : p->kernel_width;", "? p->kernel_width : p->kernel_width;"),
    ("to = qnn_window_spread(to, step, before, fill);", "to = qnn_window_spread(to, step, before, 0);"),
    ("s.d += x3 * w;", "s.d += x3 * w / 2;"),
    ("qnn_conv2d_add(s, QNN_READ(*w), x[0], x[1], x[2], x[3]);", "qnn_conv2d_add(s, *w, x[0], x[1], x[2], x[2]);"),
    ("(o < blocked ? (o & ~3) * taps + (o & 3) :", "(o < blocked ? (o & ~3) * taps :"),
    ("row * p->stride_height - p->pad_top", "row - p->pad_top"),
    ("f.w[0].a = f.w[1].a = f.w[2].a = 0;", "f.w[0].a = 0;"),
    ("f.bias += pad * (f.w[0].c + f.w[1].c + f.w[2].c);", "f.bias += pad * f.w[0].c;"),
    ("x.a = x.b = x.c = (uint32_t)p->pad_value;", "x.a = x.b = x.c = 0;"),
    ("continued = begun + qnn_three_sum(x, f.w[1]);", "continued = begun;"),
    ("if (column >= p->along.pad && column <", "if (column <"),
    ("packed + c, w);", "packed, w);"),
    ("if (*x > *y) {", "if (*x < *y) {"),
    ("int32_t index = p->cases > 1 ? positions - 1 : 0;", "int32_t index = 0;"),
    ("sum - positions * p->zero_point", "sum - p->zero_point"),
    ("b[i] * p->factor2 + p->offset", "b[i] * p->factor1 + p->offset"),
    ("y = qnn_window_fill(y, p->right * p->channels, value);", "y = qnn_window_fill(y, p->right * p->channels, 1);"),
    ("return qnn_clamp((q + c->constant) >> c->shift,", "return qnn_clamp(q >> c->shift,"),
    ("q = q < low ? low : high;", "q = q < low ? low : high - 1;"),
    ("a3 += x0 * QNN_READ(w[3])", "a3 += x0 * w[2]"),
    ("sum += (*x ^ flip) * QNN_READ(*w);", "sum += (*x ^ flip) * *w / 2;"),
    ("int32_t x0 = *x ^ flip;", "int32_t x0 = *x;"),
    ("flipped[i] = (uint8_t)(x[i] ^ 0x80);", "flipped[i] = x[i];"),
    ("y[i] = (uint8_t)(x[i] ^ 0x80);", "y[i] = x[i];"),
    ("sum += once >> 31;", "sum += 0;"),
    ("(int32_t)((uint32_t)product >> 31);", "0;"),
    ("(a[i + j] - p->zero1) * (b[j] - p->zero2)", "(a[i + j] - p->zero2) * (b[j] - p->zero2)"),
    ("b * p->step1 + c * p->step2", "b * p->step2 + c * p->step2"),
    ("x >= (int32_t)1 << 30 ? INT32_MAX", "x >= (int32_t)1 << 30 ? 0"),
    ("q = (q + ((uint32_t)1 << (shift - 1))) >> shift;", "q = q >> shift;"),
    ("y[i] = QNN_READ(p->entries[x[i]]);", "y[i] = p->entries[x[i] ^ 1];"),
    ("if (x[i] > x[best]) {", "if (x[i] >= x[best]) {"),
    ("share + (rest >= total ? 1u : 0u)", "share"),
    ("distance >>= QNN_READ(p->halve[i]);", "distance >>= 1;"),
    ("height + (((distance << 1 >> exponent) + 1) >> 1);", "height + (distance >> exponent);"),
    ("((distance << 1 >> (exponent - 8)) + 1) >> 1);", "distance >> (exponent - 8));"),
    ("distance << (8 - exponent)", "distance << (7 - exponent)"),
    ("distance -= width;", "distance -= width - 1;"),
    ("bytes = next;", "bytes = next - 1;"),
    ("return ((distance >> shift) + 1) >> 1;", "return distance >> shift >> 1;"),
    ("        distance >>= 1;", ""),
    ("if (raw > low) {", "if (raw > 0) {"),
    ("return ((acc >> (shift & 31)) + 1) >> 1;", "return acc >> (shift & 31) >> 1;"),
    ("acc = (int32_t)((uint32_t)acc << (shift >> 5));", ""),
    ("acc += (int32_t)*v * QNN_READ(*w);", "acc += (int32_t)*v;"),
    ("acc += (int32_t)v[3] * QNN_READ(w[3]);", "acc += (int32_t)v[3] * QNN_READ(w[2]);"),
    ("acc = acc > high ? high : acc;", "acc = acc > high ? low : acc;"),
    ("y[QNN_LITTLE_ENDIAN] = (uint8_t)(acc >> 8);", "y[QNN_LITTLE_ENDIAN] = (uint8_t)(acc >> 7);"),
    ("share = above > 0 ? 32768u - share : share;", ""),
    ("if (accumulator < -limit) {", "if (accumulator < -1) {"),
    ("(p->prescale ? QNN_READ(p->prescale[i]) : 0);", "0;"),
    ("(int32_t)(sum >> 32) >> QNN_READ(p->shift[i])", "(int32_t)(sum >> 32) / (1 << QNN_READ(p->shift[i]))"),
    ("QNN_READ(p->multiplier[i]) + QNN_READ(p->constant[i]);", "p->multiplier[i] + (p->constant[i] >> 32 << 32);"),
    (
        "return (int32_t)((high_word << (32 - shift)) | (low_word >> shift));",
        "return (int32_t)((high_word << (31 - shift)) | (low_word >> shift));",
    ),
    ("sum->high += part >> 16;", "sum->high += (part + 32768) >> 16;"),
    ("uint32_t rest = sum.low - ((uint32_t)sum.high << 16);", "uint32_t rest = sum.low;"),
    ("a3 += last * qnn_weight(w, 4 * i + 3);", "a3 += last * qnn_weight(w, 4 * i + 2);"),
    ("a2 += x1 * qnn_weight(w, 4 * i + 6);", "a2 += x0 * qnn_weight(w, 4 * i + 6);"),
    ("acc += qnn_input(x, i) * qnn_weight(w, i);", "acc += qnn_input(x, 0) * qnn_weight(w, i);"),
    ("qnn_sum_add(&s3, last * qnn_weight(w, 4 * i + 3));", "qnn_sum_add(&s3, last * qnn_weight(w, 4 * i + 2));"),
    ("qnn_weight(w, 4 * i + 2) + x1 * qnn_weight(w, 4 * i + 6));", "qnn_weight(w, 4 * i + 2));"),
    ("b += qnn_input(z, i) * weight;", "b += qnn_input(z, 0) * weight;"),
    ("to = qnn_window_fill_i16(to, before, fill);", "to = qnn_window_fill_i16(to, before, 0);"),
    ("c++, x = qnn_values_after(x, 1)", "c++"),
    ("qnn_input(b, i) * p->factor2", "qnn_input(b, i) * p->factor1"),
    ("y = qnn_window_copy_i16(y, b, p->channels2);", "y = qnn_window_copy_i16(y, a, p->channels2);"),
    (
        "y = qnn_window_fill_i16(y, p->right * p->channels, value);",
        "y = qnn_window_fill_i16(y, p->right * p->channels, 1);",
    ),
    ("qnn_input(x, i) - p->zero_point", "qnn_input(x, i)"),
    ("(second - first) * position + half", "(second - first) * position + half / 2"),
    ("QNN_READ(p->firsts[segment]) + (rest >> shift)", "QNN_READ(p->firsts[segment]) + (rest >> p->bits)"),
    ("target[i] = source[i];", "target[i] = source[0];"),
    ("return acc > p->high ? p->high : acc;", "return acc;"),
    ("w = qnn_values_after(w, p->inputs + 1);", "w = qnn_values_after(w, p->inputs);"),
    ("(((acc >> (shift & 31)) + 1) >> 1) + p->zero_point;", "((acc >> (shift & 31)) + 1) >> 1;"),
    ("(start + (uint64_t)qnn_sum_value(sum))", "(start / 2 + (uint64_t)qnn_sum_value(sum))"),
    ("acc += (int32_t)*v * QNN_READ(*w++);", "acc += (int32_t)*v * QNN_READ(*w);"),
    ("acc = ((acc >> (shift & 31)) + p->rounding) >> 1;", "acc = ((acc >> (shift & 31)) + 1) >> 1;"),
    ("acc = acc > p->high ? p->high : acc;", ""),
    ("upper = acc >> (8 * p->wide);", "upper = acc >> 8;"),
    ("(uint8_t)(p->pad_value ^ p->flip);", "(uint8_t)p->flip;"),
    ("sum += (*tap ^ p->flip) * QNN_READ(**weights);", "sum += *tap * QNN_READ(**weights);"),
    ("tap += inside;", "tap += 1 - inside;"),
    ("channel++;", "channel += 2;"),
    ("if (*x > largest) {", "if (*x >= largest) {"),
    ("return (share + 1) >> 1;", "return share >> 1;"),
    ("return qnn_choose(qnn_mask(a < b), a, b);", "return qnn_choose(qnn_mask(a < b + 2), a, b);"),
    ("return qnn_choose(qnn_mask(a > b), a, b);", "return qnn_choose(qnn_mask(a > b), a, b + 1);"),
    ("rest -= total & fits;", "rest -= total & fits & 0xFFFF0000u;"),
    ("total += total & (int32_t)small;", "total += total;"),
    ("height += (uint32_t)qnn_choose(inside,", "height += (uint32_t)qnn_choose(~inside,"),
    ("(c->constant >> c->shift)) & 1 & (int32_t)half;", "(c->constant >> c->shift)) & 0 & (int32_t)half;"),
    ("best = qnn_choose(more, i, best);", "best = qnn_choose(more, i, 0);"),
    ("index &= (int32_t)inside;", "index &= 127 & (int32_t)inside;"),
    ("QNN_READ(p->exponentials[below & inside]) & inside;", "QNN_READ(p->exponentials[below & inside]);"),
    ("for (left = 5; left > 0; left--) {", "for (left = 4; left > 0; left--) {"),
)


@pytest.mark.parametrize(("good", "bad"), BREAKAGES)
def test_broken_kernels_are_noticed(tmp_path: Path, good: str, bad: str) -> None:
    """Every breakage makes some random graph differ: the suite's graphs reach each of these lines."""
    tries = ((seed, make) for seed in range(160) for make in EVERY)
    assert any(breakage_shows(tmp_path / f"{seed}{make.__name__}", good, bad, seed, make) for seed, make in tries)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("make", [random_graph, random_map_graph])
def test_sums_of_64_bits_may_be_cut_anywhere(tmp_path: Path, make: Make, seed: int) -> None:
    """A header that adds up 64-bit sums after three products each, not 65536, gives the same."""
    rng, whole = np.random.default_rng(seed), "#define net_MOST_PRODUCTS 65536"
    graph = make(rng)
    while whole not in header_text(graph, plan_memory(graph)):
        graph = make(rng)
    text = header_text(graph, plan_memory(graph))
    (tmp_path / "net.h").write_text(text.replace(whole, "#define net_MOST_PRODUCTS 3"))
    engine = HostEngine(tmp_path, interface_of(graph), flags=("-O0",))
    compare(graph, edge_samples(rng, graph, 12), engine)
    engine.close()


def test_more_products_than_one_sum_takes(tmp_path: Path) -> None:
    """70,000 of the largest products there are, of either sign: 2**46."""
    count = 70_000
    weights = np.full((5, count), 32767, np.int16) * np.array([[1], [-1], [1], [-1], [1]], np.int16)
    x = TensorType((count,), "int16", -32768, 32767)
    raw = TensorType((count,), "int32", INT32_MIN, INT32_MAX)
    ends = np.full(count, -32768), np.full(count, 32767)
    y = TensorType((5,), "int16", -32768, 32767)
    dense = Dense(weights, np.arange(5), 16, requantization(np.full(5, 2.0**-15), 0, -32768, 32767))
    body = (
        Node("quantized", quantize_op(*ends, (-32768, 32767)), (INPUT,), x),
        Node("dense", dense, ("quantized",), y),
    )
    schema = random_schema(raw, y, False)
    graph = check(Graph("net", schema, RECORD, raw, body, "dense", "quantized"))
    samples = np.full((3, count), INT32_MIN, np.int32)
    samples[1], samples[2, ::3] = INT32_MAX, 77
    folder = write_graph(graph, tmp_path / "net")
    engine = HostEngine(folder, interface_of(graph), flags=("-O0", *SANITIZED), program=True)
    compare(graph, samples, engine)
    engine.close()


def breakage_shows(folder: Path, good: str, bad: str, seed: int, make: Make) -> bool:
    """Does a random graph, whose header has `bad` in the place of `good`, differ from the simulator?"""
    rng = np.random.default_rng(seed)
    graph = make(rng)
    text = header_text(graph, plan_memory(graph))
    good, bad = renamed(good, "net"), renamed(bad, "net")
    if good not in text:
        return False
    folder.mkdir()
    (folder / "net.h").write_text(text.replace(good, bad))
    x = edge_samples(rng, graph, 40)
    samples = np.concatenate([x, np.repeat(x[:, :1], x.shape[1], axis=1)])  # one value repeated makes ties likelier
    engine = HostEngine(folder, interface_of(graph), flags=("-O0",))
    try:
        compare(graph, samples, engine)
    except AssertionError:
        return True
    finally:
        engine.close()
    return False
