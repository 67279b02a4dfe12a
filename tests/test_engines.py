# SPDX-License-Identifier: MIT
"""The engines that run the emitted C: the same results everywhere, exact counts, and broken C that is caught."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from graphs import random_graph
from headers import INPUTS, RIGHT, TINY, write_header

from qnn import toolchain
from qnn.engines import machine, qemu_engine
from qnn.engines.engine import CrashError, Engine
from qnn.engines.host import ADDRESS_SANITIZED, SANITIZED, HostEngine
from qnn.engines.image import load_image, measure_object
from qnn.engines.interface import Tensor, interface_of
from qnn.engines.job import QUANTIZED_RUN, WINDOW_SAMPLES, WORDS, exact, layout, pack, unpack, windows
from qnn.engines.measure import count_steps, instructions_in, stack_bytes
from qnn.engines.qemu_engine import PROGRAM, QemuEngine
from qnn.engines.unicorn_engine import UnicornEngine, model_calls
from qnn.errors import QnnError
from qnn.graph import CLASS, INPUT
from qnn.toolchain import GCC, ZIG, Compiler

ENGINES = ("host gcc", "host clang", "host ziglang", "rv32 gcc", "rv32 ziglang", "qemu gcc", "qemu ziglang")


def raw(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-99999, 100000, (count, INPUTS)).astype(np.int32)


def definition(x: np.ndarray) -> dict[str, np.ndarray]:
    """What headers.RIGHT computes."""
    total = (x.astype(np.int64) * (np.arange(INPUTS) - 2)).sum(axis=1, keepdims=True)
    remainder = np.fmod(total, 1000)
    last = (remainder + np.arange(3)).astype(np.int16)
    return {"sum": total.astype(np.int32), "last": last, CLASS: (last[:, :1] > 0).astype(np.int32)}


def compiler_for(name: str) -> Compiler:
    """The compiler that an entry of ENGINES names; the test is skipped, loudly, where it is not there."""
    target, wanted = name.split()
    found = toolchain.host_compilers() if target == "host" else toolchain.rv32_compilers()
    kind = {"gcc": GCC, "clang": "clang", "ziglang": ZIG}[wanted]
    compiler = next((compiler for compiler in found if compiler.kind == kind), None)
    if compiler is None:
        pytest.skip(f"no {name} on this machine: this test did not run")
    return compiler


def open_engine(name: str, build: Path) -> Engine:
    compiler, target = compiler_for(name), name.split()[0]
    if target == "qemu" and not shutil.which(PROGRAM):
        pytest.skip(f"no {PROGRAM} on this machine: this test did not run")
    engines = {"host": HostEngine, "rv32": UnicornEngine, "qemu": QemuEngine}
    return engines[target](build, TINY, compiler)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with the right header."""
    return write_header(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def rv32(tiny: Path) -> Iterator[UnicornEngine]:
    """The right header on RV32, by the preferred compiler."""
    pytest.importorskip("unicorn")
    with closing(UnicornEngine(tiny, TINY)) as engine:
        yield engine


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_computes_the_definition(name: str, tiny: Path) -> None:
    x = raw(3 * WINDOW_SAMPLES + 5)
    expected = definition(x)
    with closing(open_engine(name, tiny)) as engine:
        found, traced = engine.run(x, x[::-1]), engine.trace(x[:9])
        assert set(found) == {"last", CLASS, QUANTIZED_RUN}
        np.testing.assert_array_equal(found["last"], expected["last"])
        np.testing.assert_array_equal(found[CLASS], expected[CLASS])
        np.testing.assert_array_equal(found[QUANTIZED_RUN], expected["last"][::-1])
        assert list(traced) == ["sum", "last"]
        np.testing.assert_array_equal(traced["sum"], expected["sum"][:9])
        np.testing.assert_array_equal(traced["last"], expected["last"][:9])
        assert {key: value.dtype for key, value in traced.items()} == {"sum": np.int32, "last": np.int16}


def test_the_layout_of_a_job_is_said_once() -> None:
    """The C takes the words' order from the header that is written for it, not from a list of its own."""
    order = [name.strip() for name in layout().split("{")[1].split("}")[0].split(",")]
    assert len(order) == len(WORDS)
    assert order[:3] == ["AtCount", "AtIn", "AtInQ"]
    job = pack(TINY, raw(3), order="<")
    words = dict(zip(order, job.request[: 4 * len(order)].view("<u4").tolist(), strict=True))
    assert (words["AtCount"], words["AtReply"], words["AtReplyBytes"]) == (3, job.reply, job.size - job.reply)
    folder = Path(machine.__file__).parent
    for file in (folder / "c" / "job.c", folder / "rv32" / "main.c"):
        used = set(re.findall(r"\bAt[A-Z]\w*", file.read_text()))
        assert used
        assert used <= set(order)
        assert not re.search(r"enum \{ *(COUNT|REPLY)", file.read_text())


def test_results_without_quantized_inputs(rv32: UnicornEngine) -> None:
    assert set(rv32.run(raw(1))) == {"last", CLASS}


@pytest.mark.parametrize("compiler", ["gcc", "ziglang"])
def test_the_three_ways_to_count_agree(compiler: str, tmp_path: Path) -> None:
    loop = "\n    volatile int32_t turns = sum & 31;\n    while (turns > 0)\n        turns = turns - 1;\n"
    build, x = write_header(tmp_path, more=loop), raw(12, 3)
    with (
        closing(open_engine(f"rv32 {compiler}", build)) as engine,
        closing(open_engine(f"qemu {compiler}", build)) as qemu,
    ):
        assert isinstance(engine, UnicornEngine)
        by_blocks = engine.measure(x).instructions
        image = engine._images.image()
        jobs = [pack(TINY, x[i : i + 1], order="<") for i in range(len(x))]
        by_steps = [count_steps(image, job, model_calls(image, job)[0]) for job in jobs]
        assert by_blocks.tolist() == by_steps
        by_minstret = qemu.measure(x)
        assert by_minstret is not None
        assert by_blocks.tolist() == by_minstret.instructions.tolist()
        turns = definition(x)["sum"][:, 0] & 31
        assert len(set(turns.tolist())) > 6
        each = np.diff(np.array(by_steps)[np.argsort(turns)]) // np.maximum(np.diff(np.sort(turns)), 1)
        assert set(each.tolist()) - {0} == {int(each.max())}  # as many more instructions as the loop has more turns


def test_instruction_lengths() -> None:
    compressed, full = b"\x01\x00", b"\x13\x00\x00\x00"  # c.nop, nop
    assert instructions_in(compressed + full + full + compressed) == 4
    assert instructions_in(b"") == 0


def test_progress_of_counting(rv32: UnicornEngine) -> None:
    seen: list[tuple[int, int]] = []
    rv32.measure(raw(3), lambda done, total, text="": seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def filled_stack(size: int) -> str:
    """C that fills an array of `size` bytes on the stack."""
    return f"""
    volatile uint8_t big[{size}];
    for (int i = 0; i < {size}; i++)
        big[i] = (uint8_t)sum;
    ((uint8_t *)scratch)[0] = big[7];
"""


@pytest.mark.parametrize("bytes_", [256, 1024])
def test_stack_of_a_known_size(bytes_: int, tmp_path: Path) -> None:
    with closing(UnicornEngine(write_header(tmp_path / "small"), TINY)) as engine:
        small = engine.measure(raw(1)).stack_bytes
    with closing(UnicornEngine(write_header(tmp_path / "big", more=filled_stack(bytes_)), TINY)) as engine:
        big = engine.measure(raw(1)).stack_bytes
    assert small is not None
    assert big is not None
    assert 0 <= small < 100
    assert bytes_ <= big - small <= bytes_ + 64


def test_stack_that_is_reserved_counts_as_well(tmp_path: Path) -> None:
    reserved = "\n    volatile uint8_t big[4000];\n    big[3999] = (uint8_t)sum;\n    helper(&sum, big[3999]);\n"
    helper = "__attribute__((noinline)) static void helper(int32_t *x, int y) { *x += y; }"
    with closing(UnicornEngine(write_header(tmp_path, more=reserved, globals_=helper), TINY)) as engine:
        found = engine.measure(raw(1)).stack_bytes
    assert found is not None
    assert found >= 4000


def test_too_much_stack_is_told(tmp_path: Path) -> None:
    with closing(UnicornEngine(write_header(tmp_path, more=filled_stack(66000)), TINY)) as engine:
        image = engine._images.image()
        job = pack(TINY, raw(1), order="<")
        with pytest.raises(CrashError, match="more than 65536 bytes of stack"):
            stack_bytes(image, job, model_calls(image, job)[0])


ASTRAY = {
    "reads 4 bytes outside": "\n    (void)*(const volatile int32_t *)((const uint8_t *)scratch + 16);\n",
    "writes 1 bytes outside": "\n    ((volatile uint8_t *)scratch)[8] = 1;\n",
    "reads 1 bytes outside": "\n    (void)((const volatile uint8_t *)in)[24];\n",
    "writes 2 bytes at an address that is not a multiple": "\n    *(volatile int16_t *)out = 0;\n",
    "reads 4 bytes at an address that is not a multiple": "\n    (void)*(const volatile int32_t *)in;\n",
}


@pytest.mark.parametrize("problem", ASTRAY)
def test_memory_that_is_not_its_own(problem: str, tmp_path: Path) -> None:
    with (
        closing(UnicornEngine(write_header(tmp_path, more=ASTRAY[problem]), TINY)) as engine,
        pytest.raises(CrashError, match=rf"tiny_run {problem}"),
    ):
        engine.measure(raw(1))


OVERFLOW = (
    "\n    volatile int32_t a = INT32_MAX;\n    a = a + (sum < 9999999);\n    ((uint8_t *)scratch)[0] = (uint8_t)a;\n"
)


def sanitized(build: Path, flags: tuple[str, ...]) -> Engine:
    return HostEngine(build, TINY, compiler_for("host gcc"), ("-O1", *flags), program=True)


def test_sanitizers_see_nothing_in_right_c(tiny: Path) -> None:
    x = raw(40)
    for flags in (SANITIZED, ADDRESS_SANITIZED):
        with closing(sanitized(tiny, flags)) as engine:
            np.testing.assert_array_equal(engine.run(x, x)["last"], definition(x)["last"])


@pytest.mark.parametrize(
    ("flags", "more", "problem"),
    [
        (SANITIZED, OVERFLOW, "signed integer overflow"),
        (SANITIZED, ASTRAY["reads 4 bytes at an address that is not a multiple"], "misaligned address"),
        (SANITIZED, ASTRAY["writes 2 bytes at an address that is not a multiple"], "misaligned address"),
        (ADDRESS_SANITIZED, ASTRAY["writes 1 bytes outside"], "heap-buffer-overflow"),
        (ADDRESS_SANITIZED, ASTRAY["reads 1 bytes outside"], "heap-buffer-overflow"),
    ],
)
def test_sanitizers_see_wrong_c(flags: tuple[str, ...], more: str, problem: str, tmp_path: Path) -> None:
    build = write_header(tmp_path, more=more)
    with closing(sanitized(build, flags)) as engine, pytest.raises(CrashError, match=problem):
        engine.run(raw(40))


@pytest.mark.parametrize("name", ["host gcc", "rv32 gcc", "qemu gcc"])
def test_a_function_that_reports_failure(name: str, tmp_path: Path) -> None:
    build = write_header(tmp_path, result="1")
    with closing(open_engine(name, build)) as engine, pytest.raises(CrashError, match="something else than 0"):
        engine.run(raw(2))


@pytest.mark.parametrize(
    ("name", "problem"), [("rv32 gcc", r"in tiny_run\+0x"), ("qemu gcc", r"exception 0000000[0-9a-f] at 8000")]
)
def test_an_exception_is_located(name: str, problem: str, tmp_path: Path) -> None:
    build = write_header(tmp_path, more='\n    __asm__ volatile(".word 0xffffffff");\n')
    with closing(open_engine(name, build)) as engine, pytest.raises(CrashError, match=problem):
        engine.run(raw(2))


def test_a_loop_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "TIMEOUT_SECONDS", 1)
    build = write_header(tmp_path, more="\n    while (((volatile int16_t *)scratch)[0] != 32767) { }\n")
    with closing(UnicornEngine(build, TINY)) as engine, pytest.raises(CrashError, match="did not return within 1 s"):
        engine.run(raw(2))


def test_a_trace_that_does_not_fit_the_graph(tmp_path: Path) -> None:
    build = write_header(tmp_path, body=RIGHT.replace("tiny_TRACE(1, out, 6)", "tiny_TRACE(1, out, 4)"))
    with (
        closing(HostEngine(build, TINY)) as engine,
        pytest.raises(QnnError, match="node 1 with 4 bytes where last has 6"),
    ):
        engine.trace(raw(2))


def test_object_sizes(tiny: Path) -> None:
    pytest.importorskip("elftools")
    for compiler in toolchain.rv32_compilers():
        fast, small = (measure_object(tiny, "tiny", compiler, level) for level in ("-O2", "-Os"))
        assert all(60 < sizes.code < 1000 for sizes in (fast, small))
        assert fast != small
        assert (fast.data, fast.bss) == (0, 0)
        assert set(fast.undefined) <= {"memcpy", "memset", "memmove", "memcmp"}


@pytest.mark.parametrize(
    ("globals_", "more", "problem"),
    [
        ("", "\n    out[0] = (int16_t)((float)sum * 0.5f);\n", "__(mulsf3|floatsisf|fixsfsi)"),
        ("", "\n    out[0] = (int16_t)((int64_t)sum / (in[0] | 1));\n", "__divdi3"),
        ("int elsewhere(void);", "\n    out[0] = (int16_t)elsewhere();\n", "calls elsewhere"),
        (
            "static int32_t count;",
            "\n    out[0] = (int16_t)++count;\n",
            "bytes of writable data, so it is not reentrant",
        ),
        ("static int32_t table[2] = {1, 2};", "\n    table[sum & 1]++;\n", "8 bytes of writable data"),
    ],
)
def test_objects_that_are_not_integer_code(globals_: str, more: str, problem: str, tmp_path: Path) -> None:
    build = write_header(tmp_path, more=more, globals_=globals_)
    with pytest.raises(QnnError, match=problem):
        measure_object(build, "tiny", compiler_for("rv32 gcc"))


@pytest.mark.parametrize("open_it", [HostEngine, UnicornEngine, QemuEngine])
def test_a_header_that_is_missing_or_broken(open_it: type[Engine], tmp_path: Path) -> None:
    if open_it is QemuEngine and not shutil.which(PROGRAM):
        pytest.skip(f"no {PROGRAM} on this machine: this test did not run")
    with pytest.raises(QnnError, match=r"tiny\.h: no such file; compile the model again"):
        open_it(tmp_path, TINY)  # type: ignore[call-arg]
    header = write_header(tmp_path) / "tiny.h"
    header.write_text(header.read_text()[:900])
    with pytest.raises(QnnError, match=r"tiny\.h:\d+:\d+: error") as caught:
        open_it(tmp_path, TINY)  # type: ignore[call-arg]
    assert "\n" not in str(caught.value)


def test_missing_emulators(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "unicorn" else found(name, *rest)
    )
    with pytest.raises(QnnError, match=r"unicorn: the RV32 emulator is not installed; pip install 'qnn\[rv32\]'"):
        UnicornEngine(tiny, TINY)
    monkeypatch.setattr(qemu_engine, "PROGRAM", "no-such-qemu")
    with pytest.raises(QnnError, match="no-such-qemu: is not installed"):
        QemuEngine(tiny, TINY)


def test_an_image_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("elftools")
    path = tmp_path / "image.elf"
    path.write_bytes(b"not an image")
    with pytest.raises(QnnError, match="is not an ELF file"):
        load_image(path)


def test_windows_cover_every_sample_and_every_alignment() -> None:
    for samples in (1, 3, 4, 7, 1000, 5000):
        found = list(windows(TINY, samples))
        rows = [row for rows, _ in found for row in range(samples)[rows]]
        assert rows == list(range(samples))
        assert {misalign for _, misalign in found} == set(range(min(4, samples)))
        assert max(rows.stop - rows.start for rows, _ in found) <= WINDOW_SAMPLES


@pytest.mark.parametrize("misalign", range(4))
def test_jobs_put_inputs_and_outputs_where_they_say(misalign: int) -> None:
    x = raw(5)
    job = pack(TINY, x, x + 1, misalign=misalign, order="<")
    for region in (*job.inputs, *job.results):
        assert region.offset % 4 == (misalign if region.name in ("in", "in_q", "out", "out_q") else 0)
    spans = sorted((region.offset, region.offset + region.bytes) for region in (*job.inputs, *job.results))
    assert spans[0][0] >= 64
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    first = job.inputs[0]
    data = job.request[first.offset : first.offset + first.bytes].tobytes()
    np.testing.assert_array_equal(np.frombuffer(data, "<i4").reshape(x.shape), x)
    found = unpack(job, bytes(job.size - job.reply))
    assert {name: values.shape for name, values in found.items()} == {
        "last": (5, 3),
        QUANTIZED_RUN: (5, 3),
        CLASS: (5, 1),
    }


def test_samples_that_do_not_fit() -> None:
    with pytest.raises(QnnError, match=r"takes samples of shape \(6,\), not \(7,\)"):
        exact(np.zeros((2, 7), np.int32), TINY.input)
    with pytest.raises(QnnError, match="has values that are not uint8"):
        exact(np.full((1, 2), 256), Tensor("x", "uint8", (2,)))
    assert exact(np.full((1, 2), 255), Tensor("x", "uint8", (2,))).dtype == np.uint8


def test_the_interface_of_a_graph() -> None:
    graph = random_graph(np.random.default_rng(5), "net")
    interface = interface_of(graph)
    assert interface.input == Tensor(INPUT, graph.input.dtype, graph.input.shape)
    assert [node.name for node in interface.nodes] == [node.name for node in graph.body]
    assert {head.name for head in interface.heads} == {node.name for node in graph.heads}
    assert interface.output.name == graph.output
