# SPDX-License-Identifier: MIT
"""Constants in flash and in RAM: what is asked for, what fits the chip, where the linked firmware has them."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from boards import board_of, firmware_of
from conftest import Run
from graphs import edge_samples, random_graph
from networks import IMAGE, Example, model_of, samples_of

from qnn import toolchain
from qnn.board.emulator import FLASH_DATA, Board
from qnn.board.engine import BoardEngine
from qnn.board.ports import BoardStream
from qnn.board.romimage import SRAM_BYTES, SRAM_DATA
from qnn.calibration import calibrate
from qnn.compiler import build_graph, compile_model, write_build
from qnn.cycles import LINE_BYTES, MISS_CYCLES
from qnn.emitter.header import header_text
from qnn.emitter.notes import graph_hash
from qnn.engines.interface import interface_of
from qnn.engines.unicorn_engine import UnicornEngine
from qnn.errors import QnnError
from qnn.graph import Graph
from qnn.graphfile import load_graph, save_graph
from qnn.memory import plan_memory
from qnn.modelfile import save_model
from qnn.ops.choices import AUTO, FLASH, MEMORIES, RAM, Choices, Weights, parse_weights
from qnn.placement import SRAM_BYTES as CHIP_BYTES
from qnn.placement import place, used_bytes
from qnn.simulator import simulate
from qnn.toolchain import GCC, ZIG, Compiler
from qnn.verifier import verify

CONV = Example("conv", "conv 3x3 6 relu, depthwise 3x3 relu, dense 10", (8, 8, 2), "uint8", 10)
WIDE = Example("wide", "dense 64 relu, dense 64 relu, dense 10", (512,), "uint8", 10)


def build_of(example: Example, folder: Path, weights: str) -> Path:
    """`folder`, with a build of the example whose constants live where `weights` says."""
    model = model_of(example)
    choices = Choices(parse_weights(weights))
    write_build(compile_model(model, calibrate(model, model.samples), example.name, choices=choices), folder)
    return folder


def graph_of_example(example: Example) -> Graph:
    model = model_of(example)
    return compile_model(model, calibrate(model, model.samples), example.name).graph


@pytest.mark.parametrize(
    ("text", "memory", "layers"),
    [
        ("auto", AUTO, {}),
        ("ram", RAM, {}),
        ("conv1=ram", FLASH, {"conv1": RAM}),
        ("auto, dense2=flash,dense1=ram", AUTO, {"dense2": FLASH, "dense1": RAM}),
        ("flash,dense1=ram,dense1=auto", FLASH, {"dense1": AUTO}),
    ],
)
def test_what_may_be_asked_for(text: str, memory: str, layers: dict[str, str]) -> None:
    asked = parse_weights(text)
    assert (asked.memory, dict(asked.layers)) == (memory, layers)
    assert parse_weights(str(asked)) == asked


@pytest.mark.parametrize(
    "text", ["", "eeprom", "ram,auto", "dense1=", "=ram", "dense1=ram=", "auto,,dense1=ram", "dense1"]
)
def test_what_may_not(text: str) -> None:
    with pytest.raises(QnnError, match="is no memory"):
        parse_weights(text)


def test_auto_takes_what_fits_and_first_what_is_used_most() -> None:
    """Convolutions use a weight at every pixel: they come before dense layers, which use it once."""
    graph = graph_of_example(CONV)
    plan = plan_memory(graph)
    everything = place(graph, plan, parse_weights("auto"))
    assert {"conv2d1", "depthwise_conv2d1", "dense1"} <= set(everything.in_ram)
    assert everything.fits
    room = everything.room_bytes
    assert room == CHIP_BYTES - used_bytes(graph, plan)
    big = replace(plan, scratch_bytes=plan.scratch_bytes + room - 700)
    some = place(graph, big, parse_weights("auto"))
    assert some.room_bytes == 700
    assert "conv2d1" in some.in_ram
    assert "dense1" not in some.in_ram
    assert 400 < some.ram_bytes <= 700
    none = place(graph, replace(plan, scratch_bytes=1 << 20), parse_weights("auto"))
    assert (none.in_ram, none.ram_bytes) == ((), 0)
    assert "no layer's fit the 0 bytes" in str(none)


def test_explicit_layers_come_first_and_are_told_when_they_do_not_fit() -> None:
    graph = graph_of_example(CONV)
    plan = plan_memory(graph)
    found = place(graph, plan, parse_weights("conv1=ram,depthwise1=auto"))
    assert found.in_ram == ("conv2d1", "depthwise_conv2d1")
    tight = replace(plan, scratch_bytes=plan.scratch_bytes + found.room_bytes - 100)
    found = place(graph, tight, parse_weights("auto,dense1=ram"))
    assert found.in_ram == ("dense1",)
    assert not found.fits
    assert "which do not fit the 100 bytes" in str(found)
    with pytest.raises(QnnError, match=r"conv9.*no layer with constants.*there are conv2d1, depthwise_conv2d1, dense1"):
        place(graph, plan, parse_weights("conv9=ram"))


def test_header_and_manifest_say_it(tmp_path: Path) -> None:
    build = build_of(WIDE, tmp_path, "auto,dense2=flash")
    text = (build / "wide.h").read_text()
    manifest = json.loads((build / "manifest.json").read_text())
    placed = manifest["placement"]
    assert placed["asked"] == "auto,dense2=flash"
    assert placed["in_ram"] == ["dense1", "dense3", "probabilities"]
    assert [node["memory"] for node in manifest["nodes"][:3]] == [RAM, FLASH, RAM]
    assert manifest["ram"]["constants"] == placed["bytes"] > 512 * 64
    assert f"   placed   {placed['text']}\n" in text
    assert [text.count(f"#define wide_node{i}_MEMORY wide_RAM\n") for i in range(3)] == [1, 0, 1]
    assert load_graph(build / "model.qnn").choices.weights == parse_weights("auto,dense2=flash")


def test_the_choice_changes_no_bit_and_no_hash(tmp_path: Path) -> None:
    """Only the macros and the comment differ; on the host and on RV32 the outputs are the simulator's."""
    plain, ram = (build_of(IMAGE, tmp_path / weights, weights) for weights in (FLASH, RAM))
    texts = [(build / "image.h").read_text().splitlines() for build in (plain, ram)]
    different = [(a, b) for a, b in zip(*texts, strict=True) if a != b]
    assert {line[:11] for pair in different for line in pair} == {"   placed  ", "#define ima"}
    assert graph_hash(load_graph(plain / "model.qnn")) == graph_hash(load_graph(ram / "model.qnn"))
    assert verify(ram, samples_of(IMAGE, 60), layers=True).ok


@pytest.mark.parametrize("kind", [GCC, ZIG])
def test_where_the_linked_firmware_has_them(kind: str, tmp_path: Path) -> None:
    """dense1 lies in SRAM and no load reaches its copy in flash while the model runs; dense2 is read from flash."""
    build = build_of(WIDE, tmp_path, "dense1=ram")
    firmware = firmware_of(build, "dense1=ram", compiler_of(kind))
    at = {name: address for name, address in firmware.symbols.items() if re.fullmatch(r"wide_node\d_\w+", name)}
    assert len(at) > 8
    for name, address in at.items():
        base = SRAM_DATA if name.startswith("wide_node0_") else FLASH_DATA
        assert base <= address < base + (SRAM_BYTES if base == SRAM_DATA else 1 << 23), name
    graph, x = load_graph(build / "model.qnn"), samples_of(WIDE, 3)
    board, read = board_of(firmware), set[int]()
    board.run()
    watch_flash(board, read)
    found = BoardEngine(build, graph, BoardStream(board)).run(x)
    np.testing.assert_array_equal(found[graph.output], simulate(graph, x)[graph.output])
    start, size = firmware.symbols["_model_load"], firmware.symbols["_model_end"] - firmware.symbols["_model_start"]
    assert size >= 512 * 64
    assert not any(start <= address < start + size for address in read)
    weights = at["wide_node1_weights"]
    assert sum(weights <= address < weights + 64 * 64 for address in read) >= 64 * 64 // 4


def watch_flash(board: Board, read: set[int]) -> None:
    """Put the address of every load from flash into `read`."""
    import unicorn

    def hook(_core: object, _access: int, address: int, *_: object) -> None:
        read.add(address)

    board._core.hook_add(unicorn.UC_HOOK_MEM_READ, hook, begin=FLASH_DATA, end=FLASH_DATA + (1 << 23) - 1)


def compiler_of(kind: str) -> Compiler:
    """The RV32 compiler of a family; the test is skipped, loudly, where it is not there."""
    pytest.importorskip("unicorn")
    found = next((found for found in toolchain.rv32_compilers() if found.kind == kind), None)
    if found is None:
        pytest.skip(f"no {kind} for RV32 on this machine: this test did not run")
    return found


def test_the_firmware_follows_the_build_unless_told_otherwise(tmp_path: Path, qnn: Run) -> None:
    pytest.importorskip("unicorn")
    build = str(build_of(IMAGE, tmp_path, RAM))
    code, out, _ = qnn("firmware", build, "--json")
    as_built = json.loads(out)
    assert code == 0
    assert as_built["placement"]["in_ram"] == ["dense1", "dense2", "probabilities"]
    code, out, _ = qnn("firmware", build, "--weights", "auto", "--weights", "dense1=flash", "--json")
    told = json.loads(out)
    assert told["placement"]["in_ram"] == ["dense2", "probabilities"]
    assert told["ram_bytes"] < as_built["ram_bytes"] - 1000
    code, out, _ = qnn("firmware", build, "--weights", "flash")
    assert code == 0
    assert "constants in flash" in out
    code, _, err = qnn("firmware", build, "--weights", "dense9=ram")
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize("example", [IMAGE, Example("wide2", "dense 20 relu, dense 200", (2000,), "int32", 0, 200)])
def test_what_the_firmware_needs_is_counted(example: Example, tmp_path: Path) -> None:
    """Everything in SRAM but the constants, with the stack that is set aside, is at most what `auto` reckons with."""
    for kind in (GCC, ZIG):
        build = build_of(example, tmp_path / kind, FLASH)
        graph = load_graph(build / "model.qnn")
        firmware = firmware_of(build, FLASH, compiler_of(kind))
        reckoned = used_bytes(graph, plan_memory(graph))
        assert firmware.ram_bytes + 8192 <= reckoned <= firmware.ram_bytes + 8192 + 4096


def test_more_than_fits_is_a_clear_error(tmp_path: Path) -> None:
    huge = Example("huge", "dense 192 relu, dense 10", (2000,), "uint8", 10)
    build = build_of(huge, tmp_path, "auto")
    manifest = json.loads((build / "manifest.json").read_text())
    assert "dense1" not in manifest["placement"]["in_ram"]
    assert "dense2" in manifest["placement"]["in_ram"]
    pytest.importorskip("unicorn")
    with pytest.raises(QnnError, match="does not fit into the chip's memory"):
        firmware_of(build, RAM)


def test_the_estimate_follows_the_placement(tmp_path: Path) -> None:
    build = build_of(WIDE, tmp_path, "dense1=ram")
    compiler = compiler_of(GCC)
    with closing(UnicornEngine(build, interface_of(load_graph(build / "model.qnn")), compiler)) as engine:
        assert engine.sizes.ram > 512 * 64
        assert engine.sizes.data == engine.sizes.bss == 0
        dense1, dense2, _, _ = engine.profile(np.full((1, 512), 255, np.uint8), 0).parts
    assert dense1.misses.as_compiled == dense1.misses.ram == 0
    assert dense1.cycles.flash - dense1.cycles.as_compiled >= MISS_CYCLES * 512 * 64 // LINE_BYTES
    assert dense2.misses.as_compiled <= dense2.misses.flash


def test_random_graphs_with_layers_here_and_there(tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    for seed in range(3):
        rng = np.random.default_rng([91, seed])
        graph = random_graph(rng)
        names = place(graph, plan_memory(graph), parse_weights(RAM)).in_ram
        layers = tuple((name, str(rng.choice(MEMORIES))) for name in names)
        graph = replace(graph, choices=Choices(Weights(FLASH, layers)))
        write_build(build_graph(graph, None, None), tmp_path / str(seed))
        assert verify(tmp_path / str(seed), edge_samples(rng, graph, 30), layers=True, count=2).ok


def test_a_file_with_an_impossible_choice_is_refused(tmp_path: Path) -> None:
    graph = graph_of_example(IMAGE)
    save_graph(replace(graph, choices=Choices(Weights("rom"))), tmp_path / "bad.qnn")
    with pytest.raises(QnnError, match=r"bad\.qnn"):
        load_graph(tmp_path / "bad.qnn")
    absent = replace(graph, choices=Choices(Weights(FLASH, (("nothing", RAM),))))
    with pytest.raises(QnnError, match="nothing"):
        header_text(absent, plan_memory(absent))


def test_command_line(tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(model_of(IMAGE), Path("m.qnn"))
    code, out, _ = qnn("compile", "m.qnn", "--weights", "auto")
    assert code == 0
    assert re.search(
        r"constants of dense1, dense2, probabilities in RAM: [\d,]+ bytes, which fit the [\d,]+ bytes", out
    )
    code, out, _ = qnn("inspect", "build")
    assert re.search(r"constants of dense1, dense2, probabilities in RAM", out)
    assert json.loads(qnn("inspect", "build", "--json")[1])["placement"]["asked"] == AUTO
    assert "constants in flash\n" in qnn("compile", "m.qnn")[1]
    for words, told in ((("--weights", "eeprom"), "'eeprom' is no memory"), (("--weights", "x=ram"), "no layer with")):
        code, out, err = qnn("compile", "m.qnn", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert told in err
