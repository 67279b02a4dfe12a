# SPDX-License-Identifier: MIT
"""Profiles: every instruction belongs to a layer or to the rest; estimated cycles follow the table of costs."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from graphs import edge_samples, random_graph
from mapgraphs import random_map_graph
from networks import IMAGE, Example, samples_of, write_example

from qnn import toolchain
from qnn.compiler import build_graph, write_build
from qnn.cycles import CACHE_BYTES, CACHE_WAYS, LINE_BYTES, MISS_CYCLES, Cache, block_cost
from qnn.engines.image import Images, open_elf
from qnn.engines.interface import Interface, Tensor, interface_of
from qnn.engines.job import pack
from qnn.engines.machine import Machine
from qnn.engines.profile import cut
from qnn.engines.sites import NONE, call_lines, sites_of
from qnn.engines.sources import MODEL
from qnn.engines.unicorn_engine import UnicornEngine, model_calls
from qnn.graph import Graph
from qnn.graphfile import load_graph
from qnn.toolchain import Compiler
from qnn.verifier import verify

LARGE = Example("large", "dense 64 relu, dense 10", (1024,), "uint8", 10)
LW_A0, ADD_A0, NOP = (0x0005A503).to_bytes(4, "little"), (0x00A50633).to_bytes(4, "little"), b"\x01\x00"
SHARED = """\
#include <stdint.h>
#define tiny_SCRATCH_BYTES 4
typedef int32_t tiny_in_t;
typedef int32_t tiny_q_t;
typedef int16_t tiny_out_t;
int tiny_run(const tiny_in_t *in, tiny_out_t *out, void *scratch);
int tiny_run_q(const tiny_q_t *in, tiny_out_t *out, void *scratch);
#ifndef tiny_DECLARE_ONLY
static const int32_t tiny_node0 = 100, tiny_node1 = 200, tiny_node2 = 300;
static __attribute__((noinline)) void tiny_spin(const int32_t *times, void *scratch)
{
    int32_t i;
    for (i = 0; i < *times; i++)
        *(volatile int32_t *)scratch = i;
}
int tiny_run_q(const tiny_q_t *in, tiny_out_t *out, void *scratch)
{
    tiny_spin(&tiny_node0, scratch);
    tiny_spin(&tiny_node1, scratch);
    tiny_spin(&tiny_node2, scratch);
    (void)in, (void)out;
    return 0;
}
int tiny_run(const tiny_in_t *in, tiny_out_t *out, void *scratch)
{
    return tiny_run_q(in, out, scratch);
}
#endif
"""
BEQZ, RET = b"\x19\xc1", b"\x82\x80"
DIV, MULHU = (0x02A54533).to_bytes(4, "little"), (0x02A53533).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("code", "cycles"),
    [
        ((NOP, NOP, NOP), 3),
        ((LW_A0, NOP, ADD_A0), 3),
        ((LW_A0, ADD_A0), 3),  # the result is used at once
        ((LW_A0,) * 3, 3),
        ((LW_A0,) * 4, 5),  # the fourth in a row waits
        ((LW_A0,) * 9, 11),
        ((NOP, RET), 3),
        ((NOP, BEQZ), 2),
        ((DIV,), 33),
        ((MULHU,), 1),
    ],
)
def test_costs_of_instructions(code: tuple[bytes, ...], cycles: int) -> None:
    text = b"".join(code)
    cost = block_cost(text, 0x100)
    assert (cost.instructions, cost.cycles, cost.end) == (len(code), cycles, 0x100 + len(text))
    assert cost.branches == (code[-1] == BEQZ)


def test_the_cache_drops_the_least_recently_used_line(rng: np.random.Generator) -> None:
    cache, sets = Cache(), CACHE_BYTES // LINE_BYTES // CACHE_WAYS
    expected: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(sets)]
    lines = np.concatenate([rng.integers(0, 700, 4000), rng.integers(0, 16, 3000) * sets])
    missed = 0
    for line in lines.tolist():
        ways = expected[line % sets]
        assert cache.misses(line) == (line not in ways)
        missed += line not in ways
        ways[line] = None
        ways.move_to_end(line)
        if len(ways) > CACHE_WAYS:
            ways.popitem(last=False)
    assert 700 < missed < 6000


def compiler_of(kind: str) -> Compiler:
    """The RV32 compiler of a family; the test is skipped, loudly, where it is not there."""
    pytest.importorskip("unicorn")
    chosen = next((found for found in toolchain.rv32_compilers() if found.kind == kind), None)
    if chosen is None:
        pytest.skip(f"no {kind} for RV32 on this machine: this test did not run")
    return chosen


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("make", [random_graph, random_map_graph])
def test_layers_and_the_rest_are_all_instructions(
    make: Callable[[np.random.Generator], Graph], compiler: str, tmp_path: Path
) -> None:
    """Each is what a hook on every single instruction finds, and the sum is what verify counts."""
    chosen = compiler_of(compiler)
    for seed in range(2):
        rng = np.random.default_rng([77, seed])
        graph = make(rng)
        write_build(build_graph(graph, None, None), tmp_path / str(seed))
        x = edge_samples(rng, graph, 4)
        with closing(UnicornEngine(tmp_path / str(seed), interface_of(graph), chosen)) as engine:
            counts = engine.measure(x).instructions
            for index in range(len(x)):
                profile = engine.profile(x[index : index + 1], index)
                assert [part.name for part in profile.parts] == [*(node.name for node in graph.body), ""]
                found = [part.instructions for part in profile.parts]
                assert found == steps_by_node(engine, x[index : index + 1], index)
                assert profile.instructions == sum(found) == counts[index]
                assert 0 < found[-1] < profile.instructions / 4


def steps_by_node(engine: UnicornEngine, x: np.ndarray, index: int) -> list[int]:
    """The instructions of each node and of the rest, by a hook on every instruction."""
    image = engine._images.image()
    job = pack(engine.interface, x, misalign=index % 4, order="<")
    machine, sites, now = Machine(image), sites_of(image, engine.interface.name), NONE
    counts = dict.fromkeys((*range(len(engine.interface.nodes)), NONE), 0)

    def step(address: int, size: int) -> None:
        nonlocal now
        now = sites.get(address, now)
        counts[now] += address != image.symbols["qnnStop"]

    machine.on_instruction(step)
    machine.load(job)
    machine.call(model_calls(image, job)[0])
    return list(counts.values())


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_shared_code_belongs_to_its_caller(compiler: str, tmp_path: Path) -> None:
    """Three nodes call one function, which turns 100, 200 and 300 times; the rest is a handful of instructions."""
    (tmp_path / "tiny.h").write_text(SHARED)
    value, result = Tensor("input", "int32", (1,)), Tensor("last", "int16", (1,))
    interface = Interface("tiny", value, value, result, (), (value, value, result))
    with closing(UnicornEngine(tmp_path, interface, compiler_of(compiler))) as engine:
        profile = engine.profile(np.zeros((1, 1), np.int32), 0)
    one, two, three, rest = (part.instructions for part in profile.parts)
    assert 200 < two - one == three - two < one + 20
    assert 0 < rest < 30
    cycles = [part.core_cycles for part in profile.parts]
    assert cycles[1] - cycles[0] == cycles[2] - cycles[1] >= two - one + 2 * 100  # each turn ends with a taken branch


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_debug_information_changes_no_instruction(compiler: str, tmp_path: Path) -> None:
    chosen = compiler_of(compiler)
    for seed in (0, 4):  # of many functions
        graph = random_map_graph(np.random.default_rng([78, seed]))
        write_build(build_graph(graph, None, None), tmp_path / str(seed))
        images = Images(tmp_path / str(seed), interface_of(graph), chosen)
        flags = (*toolchain.rv32_flags(chosen), "-c")
        toolchain.compile_c(chosen, flags, (MODEL,), "plain.o", cwd=images.folder, subject="test")
        plain, traceable = (text_of(images.folder / name) for name in ("plain.o", "model.o"))
        images.close()
        assert len(plain) > 3
        assert plain == traceable


def text_of(path: Path) -> dict[str, bytes]:
    """The code of each section of an object."""
    sections = open_elf(path.read_bytes(), path).iter_sections()
    return {section.name: section.data() for section in sections if section.name.startswith(".text.")}


def test_lines_that_call_a_node() -> None:
    lines = (
        "int net_run_q(const net_q_t *in, net_out_t *out, void *scratch)",
        "{",
        "    net_pad_u8_u8(&net_node0, in, memory + 0);",
        "    net_TRACE(0, memory + 0, 4);",
        "    net_dense_u8_i16(&net_node12, memory + 0, out);",
        "    return net_argmax_i16(&net_node2, out);",
        "    net_x(&net_node3_weights, out);",
    )
    assert call_lines("\n".join(lines), "net") == {3: 0, 5: 12, 6: 2}


def test_a_block_is_cut_between_nodes() -> None:
    sites = dict.fromkeys(range(0x1002, 0x1008, 2), 4) | {0x1008: NONE}
    parts = cut(NOP * 2 + LW_A0 + NOP + BEQZ, 0x1000, sites)
    found = [(part.node, part.cost.instructions, part.cost.end) for part in parts]
    assert found == [(None, 1, 0x1002), (4, 2, 0x1008), (NONE, 1, 0x100A), (None, 1, 0x100C)]
    assert [part.cost.branches for part in parts] == [False, False, False, True]


def test_flash_misses_follow_the_placement(tmp_path: Path) -> None:
    """The weights of a large layer miss line by line at each inference, and never in RAM."""
    pytest.importorskip("unicorn")
    build = write_example(LARGE, tmp_path / "large")
    found = verify(build, samples_of(LARGE, 3), ("rv32",), count=1).target("rv32").profile
    assert found is not None
    large, small, rest = found.profile.parts
    assert large.misses.flash >= 64 * 1024 // LINE_BYTES > 30 * small.misses.flash > 0
    assert large.misses.ram == small.misses.ram == rest.misses.ram == 0
    assert large.misses.as_compiled == large.misses.flash
    assert large.cycles.flash - large.cycles.ram == MISS_CYCLES * large.misses.flash
    assert found.cycles.ram == sum(part.core_cycles for part in found.profile.parts)
    assert 0 < found.profile.first.ram < 100 < found.profile.first.flash
    assert found.first_cycles.ram == found.cycles.ram + MISS_CYCLES * found.profile.first.ram


def test_a_small_network_stays_in_the_cache(tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    build = write_example(IMAGE, tmp_path / "image")
    found = verify(build, samples_of(IMAGE, 3), ("rv32",), count=1).target("rv32").profile
    assert found is not None
    assert found.cycles.flash == found.cycles.ram < found.first_cycles.ram < found.first_cycles.flash


def test_the_sample_is_the_one_nearest_to_the_mean(tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    build = write_example(IMAGE, tmp_path / "image")
    x = samples_of(IMAGE, 12)
    x[:9] = 0
    with closing(UnicornEngine(build, interface_of(load_graph(build / "model.qnn")))) as engine:
        counts = engine.measure(np.concatenate([x[:1], x])).instructions[1:]
    found = verify(build, x, ("rv32",), count=None).target("rv32").profile
    assert found is not None
    distances = np.abs(counts - counts.mean())
    assert distances[found.sample] == distances.min() < distances.max()
    assert found.profile.instructions == counts[found.sample]


def test_documents_and_tables(tmp_path: Path, qnn: Run) -> None:
    pytest.importorskip("unicorn")
    words = ("verify", str(write_example(IMAGE, tmp_path / "image")), "--data", "random:9")
    code, out, _ = qnn(*words, "--profile", "--json")
    target = json.loads(out)["targets"]["rv32"]
    profile, estimate = target["profile"], target["cycles_estimate"]
    assert code == 0
    assert "profile" not in json.loads(out)["targets"]["host"]
    total = sum(layer["instructions"] for layer in profile["layers"]) + profile["rest"]["instructions"]
    assert total == profile["instructions"]
    assert target["instructions"]["min"] <= total <= target["instructions"]["max"]
    weighted = [layer for layer in profile["layers"] if "macs" in layer]
    assert len(weighted) >= 2
    for layer in weighted:
        assert layer["instructions_per_mac"] == round(layer["instructions"] / layer["macs"], 3)
    parts = [*profile["layers"], profile["rest"]]
    assert estimate["ram"] == sum(part["cycles_estimate"]["ram"] for part in parts)
    assert estimate["first"]["flash"] > estimate["flash"]
    assert "304 cycles" in estimate["assumptions"]
    code, out, _ = qnn(*words, "--profile")
    assert code == 0
    assert "Cycles are an estimate for an ESP32-C3 at 160 MHz, not measured on one" in out
    assert "│ entry, calls, return │" in out
    assert f" {total:,} " in out
    assert "where its instructions go" not in qnn(*words)[1]


def test_the_host_has_no_profile(tmp_path: Path) -> None:
    build = write_example(IMAGE, tmp_path / "image")
    assert verify(build, samples_of(IMAGE, 3), ("host",)).target("host").profile is None
