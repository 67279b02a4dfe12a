# SPDX-License-Identifier: MIT
"""Weights of 2 to 6 bits take so many in flash, in every layer, exactly; broken unpacking is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from graphs import edge_samples
from networks import Example, model_of
from test_differential import breakage_shows, compare, write_graph
from tightgraphs import STORED, tight_graph

from qnn.calibration import calibrate
from qnn.compiler import Build, compile_model
from qnn.emitter.data import AVR_MARKED, avr_guard
from qnn.engines.host import ADDRESS_SANITIZED, SANITIZED, HostEngine
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.errors import QnnError
from qnn.graphfile import graph_bytes, load_graph
from qnn.modelfile import save_model
from qnn.ops.choices import AUTO, OFF, ON, SIZE, Choices
from qnn.ops.ckernel import WEIGHTS, CArray, CField, CKernel
from qnn.ops.dual import grouped
from qnn.ops.nominal import LONE, OPEN_BYTES, UNPACK_BYTES, kernels_code
from qnn.ops.op import TensorType
from qnn.ops.pack import NOT_WORTH, STRUCT_BYTES, TOO_MUCH, packed
from qnn.ops.tight import FORMS, LANES, MARK, Form, Lanes, lane_words, lanes_of, row_pairs, tight_words
from qnn.precision import TERNARY
from qnn.widths import Width, Widths

Run = Callable[..., tuple[int, str, str]]
BROKEN = (
    ("((above & upper) << high) + add) ^ flip;", "(above & upper) + add) ^ flip;"),
    ("<< high) + add) ^ flip;", "<< high) + (add & 0)) ^ flip;"),
    ("<< high) + add) ^ flip;", "<< high) + add) ^ (flip & 0);"),
    ("v >>= high;", "v >>= high - 1;"),
    ("above >>= low;", "above >>= low & 0;"),
    ("p->field == 4 ? 0x11111111u : 0x01010101u", "p->field == 4 ? 0x11111111u : 0x01010100u"),
    ("*rest = qnn_unpack(&p->tight, weights);", "*rest = qnn_unpack(&p->tight, weights) - 1;"),
    ("kept = kept << spare | (v & rest);", "kept = kept << spare | (v & rest & 0);"),
    ("kept.c = kept.c << spare | (v.c & rest);", "kept.c = kept.c << spare | (v.d & rest);"),
    ("s.d += x * (v->d & mask);", "s.d += x * (v->c & mask);"),
    ("v->b >>= bits;", "v->b >>= 2;"),
    ("sums.c += s.c >> 16;", "sums.c += s.c >> 15;"),
    ("unit < whole ? p->unit : p->tail", "p->unit"),
    ("if (bits > 4) {", "if (bits > 5) {"),
    ("w += o & 3 ? 1 :", "w += o & 3 ? 2 :"),
)


@pytest.mark.parametrize("seed", range(12))
def test_host(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = tight_graph(rng)
    flags, program = ((("-O2",), False), (("-O0", *SANITIZED), True), (("-O1", *ADDRESS_SANITIZED), True))[seed % 3]
    engine = HostEngine(write_graph(graph, tmp_path / "net"), interface_of(graph), flags=flags, program=program)
    compare(graph, edge_samples(rng, graph, 20), engine)
    engine.close()


@pytest.mark.parametrize("seed", range(100, 106))
def test_rv32(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = tight_graph(rng)
    engine = UnicornEngine(write_graph(graph, tmp_path / "net"), interface_of(graph))
    compare(graph, edge_samples(rng, graph, 20), engine)
    engine.close()


@pytest.mark.parametrize(("good", "bad"), BROKEN)
def test_broken_kernels_are_noticed(tmp_path: Path, good: str, bad: str) -> None:
    assert any(breakage_shows(tmp_path / str(seed), good, bad, seed, tight_graph) for seed in range(80))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_words_hold_the_values(form: Form) -> None:
    """Unpacked by the words of SPEC 6.10, value by value, whatever their number."""
    rng = np.random.default_rng(form.bits)
    for count in (1, 7, 64, 101):
        values = rng.integers(0, 1 << form.bits, count)
        words, groups = tight_words(values, form)
        each, per_word = form.field // form.high, 32 // form.field
        assert len(words) == groups * (form.repeat + (form.low > 0))
        assert 8 * 4 * len(words) - form.bits * count < form.bits * form.repeat * each * per_word
        found = []
        for group in words.reshape(groups, -1).tolist():
            upper, lowers = (group[0], group[1:]) if form.low else (0, group)
            for r, word in enumerate(lowers):
                for k in range(each):
                    for i in range(per_word):
                        low = word >> (form.field * i + form.high * k) & ((1 << form.high) - 1)
                        top = upper >> (form.field * i + form.low * (r * each + k)) & ((1 << form.low) - 1)
                        found.append(low + (top << form.high))
        assert found[:count] == values.tolist()
        assert not any(found[count:])


@pytest.mark.parametrize("lanes", LANES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 6, 29, 30, 31, 32, 33, 64, 117])
def test_lanes_hold_the_weights(lanes: Lanes, count: int) -> None:
    """Read back as SPEC 6.11 says; rows are whole words, and no more of them than the bits need."""
    rng = np.random.default_rng(count)
    weights = rng.integers(0, 1 << lanes.bits, (3, count)).astype(np.int8)
    words, pairs = lane_words(weights, lanes), row_pairs(count)
    units, tail = lanes.row(pairs)
    assert words.shape == (3, units * lanes.unit + tail)
    assert words.shape[1] - 2 < 2 * pairs * lanes.bits / 32 * (1 + lanes.spare / 16)
    for row, raised in zip(words.tolist(), grouped(weights), strict=True):
        assert lane_pairs(row, lanes, units)[:pairs] == pairs_of(raised)[:pairs]


def pairs_of(raised: np.ndarray) -> list[tuple[int, int]]:
    """(weight of the lower lane, of the upper one), in order."""
    return [(int(group[2 + i]), int(group[i])) for group in raised for i in (0, 1)]


def lane_pairs(row: list[int], lanes: Lanes, units: int) -> list[tuple[int, int]]:
    """The same from the words of a row."""
    found: list[tuple[int, int]] = []
    used = lanes.bits * lanes.each
    for start in range(0, len(row), lanes.unit):
        lower = upper = 0
        for word in row[start : start + lanes.unit]:
            low, high = word & 0xFFFF, word >> 16
            found += pairs_in(low, high, lanes.each, lanes.bits)
            lower, upper = lower << lanes.spare | low >> used, upper << lanes.spare | high >> used
        if start < units * lanes.unit:
            found += pairs_in(lower, upper, lanes.extra, lanes.bits)
    return found


def pairs_in(lower: int, upper: int, count: int, bits: int) -> list[tuple[int, int]]:
    """The first `count` weights of two lanes."""
    return [(lower >> bits * i & mask(bits), upper >> bits * i & mask(bits)) for i in range(count)]


def mask(bits: int) -> int:
    """So many ones."""
    return (1 << bits) - 1


@pytest.mark.parametrize("lanes", LANES, ids=str)
def test_no_sum_leaves_its_half(lanes: Lanes) -> None:
    """The largest products of what is summed before it is taken apart stay below 2**16 (SPEC 6.11)."""
    at_once = lanes.pairs if lanes.bits <= 4 else max(lanes.each, lanes.extra)
    assert at_once * 2 * mask(lanes.bits) * 255 < 1 << 16
    assert lanes.spare * lanes.unit == lanes.bits * lanes.extra


def test_wider_weights_have_no_lanes() -> None:
    x = TensorType((8,), "uint8", 0, 255)
    wide = np.array([[0, 0, 0, 0, 0, 0, 0, 64]], np.int8)
    assert lanes_of(wide, x) is None
    assert lanes_of(wide - 64 * (wide > 0) + 63, x) == LANES[-1]
    assert lanes_of(wide, replace(x, dtype="int16")) is None


LAYERS = "conv 3x3 12 same relu, depthwise 3x3 same relu, conv 3x3 24 stride 2 relu, dense 10"
NET = Example("net", LAYERS, (12, 12, 2), "uint8", 10)
SMALL = Example("net", "conv 3x3 8 relu, dense 3", (6, 6, 2), "uint8", 3)
LARGE = Example("net", "conv 3x3 64 relu, conv 3x3 64 relu, gap, dense 10", (8, 8, 4), "uint8", 10)


@cache
def compiled(bits: int, choices: Choices, example: Example = NET) -> Build:
    """The example with weights of so many bits."""
    model = model_of(example)
    widths = Widths(8, Width(bits, 8))
    return compile_model(model, calibrate(model, model.samples), "net", widths=widths, choices=choices)


@pytest.mark.parametrize("bits", [TERNARY, 2, 3, 4, 5, 6])
def test_bytes_are_those_of_the_bits(bits: int) -> None:
    """Of every layer: the bits of its weights, as whole words of rows, four bytes of bias an output."""
    stored = 2 if bits == TERNARY else bits
    build = compiled(bits, Choices(pack=ON))
    for node, entry in zip(build.graph.nodes, build.manifest["nodes"], strict=True):
        weights = getattr(node.op, "weights", None)
        if weights is not None:
            rows = len(weights)
            row = 4 * -(-stored * weights[0].size // 32)
            assert entry["weights"] - 4 * rows <= rows * (row + 4) + 20
            assert stored == 4 or entry["kernel"].split("_u8")[0].endswith(("_tight", "_lanes"))


def test_ram_and_reason_are_told() -> None:
    """What is unpacked is a workspace of its layer, and the header's comment says so."""
    build, plain = compiled(3, Choices(pack=ON)), compiled(3, Choices(pack=OFF))
    for entry, other in zip(build.manifest["nodes"], plain.manifest["nodes"], strict=True):
        if entry["kernel"] != other["kernel"] and "tight" in entry["kernel"]:
            assert "weights of 3 bits, unpacked into" in entry["reason"]
            assert entry["reason"] in dict(build.files)["net.h"].decode()
    assert build.manifest["ram"]["workspace"] > plain.manifest["ram"]["workspace"]
    assert build.manifest["pack"] == ON


def test_taken_where_flash_gets_smaller() -> None:
    """Not for the few weights of a small network, which says so; for those of a larger one."""
    small = compiled(2, Choices(), SMALL)
    assert not any(kernel.header.endswith(STORED) for kernel in small.graph.kernels)
    assert NOT_WORTH in small.graph.kernels[0].reason
    large = compiled(2, Choices(), LARGE)
    assert large.graph.kernels[1].header == "qnn_conv2d_pairs_tight.h"
    assert large.graph.kernels[1].function in [entry["kernel"] for entry in large.manifest["nodes"]]


def test_unpacked_weights_have_a_bound() -> None:
    """By itself no layer takes more scratch memory than MOST_ROOM for its weights, which its reason says."""
    for pack, header in ((AUTO, "qnn_conv2d_dual.h"), (ON, "qnn_conv2d_dual_tight.h")):
        kernel = compiled(6, Choices(pack=pack), LARGE).graph.kernels[1]
        assert kernel.header == header
        assert (TOO_MUCH in kernel.reason) == (pack == AUTO)


def test_each_kind_pays_for_its_code() -> None:
    """Kinds are taken together where they are worth their code only together."""

    def kernel(name: str, size: int) -> CKernel:
        array = CArray("uint8_t", np.zeros(size, np.uint8), WEIGHTS)
        return CKernel(f"{name}.h", f"{name}_u8_u8", "", (CField("weights", array),))

    base = [kernel("qnn_depthwise_conv2d", 1000), kernel("qnn_depthwise_3x3", 1000)]

    def taken(*sizes: int) -> list[bool]:
        tights = [kernel(f"{k.header[:-2]}_tight", size) for k, size in zip(base, sizes, strict=True)]
        return [k in tights for k in packed(base, tights, AUTO)]

    lone = UNPACK_BYTES + OPEN_BYTES + STRUCT_BYTES
    assert taken(1000 - lone - 4, 1000) == [True, False]
    assert taken(1000 - lone + 4, 1000) == [False, False]
    half = UNPACK_BYTES // 2 + OPEN_BYTES + STRUCT_BYTES + 4
    assert taken(1000 - half, 1000 - half) == [True, True]


def test_a_lone_layer_needs_more_code() -> None:
    """Compilers know the parameters of the only layer of a kind, but not those that are unpacked at run time."""
    dual = CKernel("qnn_conv2d_dual.h", "qnn_conv2d_dual_u8_u8", "", ())
    tight = replace(dual, function="qnn_conv2d_dual_tight_u8_u8")
    more = UNPACK_BYTES + OPEN_BYTES
    assert kernels_code([tight]) - kernels_code([dual]) == more + dict(LONE)["qnn_conv2d_dual"]
    assert kernels_code([tight, dual]) - kernels_code([dual, dual]) == more


def test_size_takes_few_bits_as_well() -> None:
    for node in compiled(4, Choices(optimize=SIZE, pack=ON)).graph.kernels[:4]:
        assert node.header in ("qnn_filters_least_tight.h", "qnn_dense_lanes.h")


def test_half_the_reach_on_avr() -> None:
    graph = compiled(3, Choices(pack=ON)).graph
    assert any(MARK in kernel.features for kernel in graph.kernels)
    assert avr_guard(AVR_MARKED, graph.kernels) == ""
    assert "in the first 32 kB only" in avr_guard(AVR_MARKED + 1, graph.kernels)
    assert avr_guard(AVR_MARKED + 1, compiled(3, Choices(pack=OFF)).graph.kernels) == ""


def test_the_choice_is_kept_in_the_file(tmp_path: Path) -> None:
    graph, path = compiled(3, Choices(pack=ON)).graph, tmp_path / "model.qnn"
    path.write_bytes(graph_bytes(graph))
    assert load_graph(path).choices == graph.choices
    path.write_bytes(graph_bytes(replace(graph, choices=Choices(pack="maybe"))))
    with pytest.raises(QnnError, match="'maybe' is no way to store weights"):
        load_graph(path)


def test_the_option(qnn: Run, tmp_path: Path) -> None:
    save_model(model_of(NET), tmp_path / "model.qnn")
    build = ("compile", str(tmp_path / "model.qnn"), "-o", str(tmp_path / "build"), "--weight-bits", "2")
    sizes = {}
    for way in (ON, OFF):
        code, out, _ = qnn(*build, "--pack", way, "--json")
        sizes[way] = json.loads(out)["flash"]["weights"]
        assert code == 0
    assert sizes[ON] < sizes[OFF]
    code, _, err = qnn(*build, "--pack", "maybe")
    assert (code, err.count("\n")) == (2, 1)
    assert "use auto, on, off" in err
