# SPDX-License-Identifier: MIT
"""verify: the emitted C equals the simulator everywhere, and what does not equal it is found and named."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from graphs import edge_samples, random_graph
from networks import BYTES, EXAMPLES, IMAGE, Example, samples_of, write_example

from qnn import toolchain
from qnn.cli import main
from qnn.compiler import build_graph, write_build
from qnn.doctor import examine
from qnn.engines import machine
from qnn.engines.qemu_engine import PROGRAM
from qnn.errors import QnnError
from qnn.graphfile import load_graph
from qnn.simulator import simulate, tensor_names
from qnn.verifier import EXTREMES, _spaced, parse_targets, verify


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The build folder of each example, by its name."""
    folder = tmp_path_factory.mktemp("builds")
    return {example.name: write_example(example, folder / example.name) for example in EXAMPLES}


def targets() -> tuple[str, ...]:
    """All targets that this machine has."""
    pytest.importorskip("unicorn")
    return ("host", "rv32", "qemu") if shutil.which(PROGRAM) else ("host", "rv32")


def edited(build: Path, folder: Path, pattern: str, replacement: str) -> Path:
    """A copy of `build` in `folder` whose header has the first match of `pattern` replaced."""
    shutil.copytree(build, folder)
    header = folder / f"{build.name}.h"
    text, count = re.subn(pattern, replacement, header.read_text(), count=1, flags=re.DOTALL)
    assert count == 1
    header.write_text(text)
    return folder


def qnn(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of the command line."""
    monkeypatch.setattr(sys, "argv", ["qnn", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_layer_of_every_example_on_every_target(example: Example, builds: dict[str, Path]) -> None:
    x = samples_of(example, 300, 1)
    found = verify(builds[example.name], x, targets(), count=7, layers=True)
    graph = load_graph(builds[example.name] / "model.qnn")
    assert found.ok
    assert [target.mismatches for target in found.targets] == [0] * len(targets())
    outputs = graph.type_of(graph.output).elements
    assert (found.samples, found.outputs) == (300, 300 * outputs)
    nodes = sum(node.type.elements for node in (*graph.body, *graph.heads))
    assert found.values == 300 * (2 * outputs + nodes)
    rv32 = found.target("rv32")
    assert rv32.instructions is not None
    assert rv32.instructions.minimum <= rv32.instructions.mean <= rv32.instructions.maximum
    assert rv32.instructions.counted == 7
    if PROGRAM in str(shutil.which(PROGRAM)):
        assert found.target("qemu").instructions == rv32.instructions


@pytest.mark.parametrize("compiler", ["clang", "zig"])
def test_other_compilers(compiler: str, builds: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    host = {item.kind: item for item in toolchain.host_compilers()}
    rv32 = {item.kind: item for item in toolchain.rv32_compilers()}
    if compiler not in host:
        pytest.skip(f"no {compiler} on this machine: this test did not run")
    monkeypatch.setenv("CC", "ziglang" if compiler == "zig" else " ".join(host[compiler].command))
    found = verify(builds["bytes"], samples_of(BYTES, 100), count=2, layers=True, rv32=rv32.get(compiler))
    assert found.ok
    assert found.target("host").compiler == str(host[compiler])


@pytest.mark.parametrize("seed", range(4))
def test_random_graphs(seed: int, tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    rng = np.random.default_rng([815, seed])
    graph = random_graph(rng, f"net{seed}")
    write_build(build_graph(graph, None, None), tmp_path)
    found = verify(tmp_path, edge_samples(rng, graph, 60), count=3, layers=True)
    assert found.ok, [str(target.first or target.crash) for target in found.targets]


def test_a_broken_kernel_is_named(builds: dict[str, Path], tmp_path: Path) -> None:
    """The first differing layer is the one whose kernel is wrong, not what follows from it."""
    graph = load_graph(builds["bytes"] / "model.qnn")
    x, layer = samples_of(BYTES, 200), graph.body[1].name
    values = simulate(graph, np.concatenate([np.full((1, *BYTES.shape), 255, np.uint8), x]), tensor_names(graph))[layer]
    most = int(values[:, 4].max()) - 1
    row = int(np.nonzero(values[:, 4] > most)[0][0])
    pattern = r"(bytes_TRACE\(1, ([^,]+), \d+\);)"
    flip = rf"if (((uint8_t *)\2)[4] > {most}) {{ ((uint8_t *)\2)[4] ^= 1; }} \1"
    found = verify(edited(builds["bytes"], tmp_path / "bytes", pattern, flip), x, targets(), count=2, layers=True)
    for target in found.targets:
        first = target.first
        assert first is not None
        assert (first.layer, first.index) == (layer, (4,))
        assert first.sample == (row - 1 if row else EXTREMES[0])
        assert (first.expected, first.got) == (values[row, 4], values[row, 4] ^ 1)
        assert target.mismatches == found.targets[0].mismatches > 0
    assert not found.ok


def test_a_wrong_head_is_named(builds: dict[str, Path], tmp_path: Path) -> None:
    pattern = r"(int image_classify\(const image_in_t \*in, void \*scratch\)\n\{.*?)return (\w+\(.*?\));"
    build = edited(builds["image"], tmp_path / "image", pattern, r"\1return 9 - \2;")
    found = verify(build, samples_of(IMAGE, 50), ("host",))
    first = found.target("host").first
    assert first is not None
    assert (first.layer, first.got) == ("class", 9 - first.expected)
    assert found.target("host").mismatches >= 50


def test_a_crash_is_a_failed_check(builds: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "TIMEOUT_SECONDS", 1)
    pattern = r"(int image_run_q\([^;]*?\)\n\{\n)"
    build = edited(builds["image"], tmp_path / "image", pattern, r"\1    for (volatile int i = 1; i; ) { }\n")
    found = verify(build, samples_of(IMAGE, 5), ("rv32",))
    assert not found.ok
    assert "did not return" in found.target("rv32").crash
    document = found.document()["targets"]["rv32"]
    assert (document["mismatches"], document["crash"]) == (None, found.target("rv32").crash)
    assert found.mismatches is None


def test_memory_beyond_its_own_fails_the_check(builds: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    pattern = r"(int image_run\([^;]*?\)\n\{\n)"
    reads = "\n    (void)((const volatile uint8_t *)in)[64];\n"
    build = edited(builds["image"], tmp_path / "image", pattern, rf"\1{reads}")
    found = verify(build, samples_of(IMAGE, 5), ("host", "rv32"))
    assert found.target("host").ok
    assert "image_run reads 1 bytes outside of its memory" in found.target("rv32").crash


def test_the_document(builds: dict[str, Path]) -> None:
    pytest.importorskip("unicorn")
    document = verify(builds["image"], samples_of(IMAGE, 40), count=5).document()
    assert document["samples"] == 40
    assert document["outputs"] == 400
    host, rv32 = document["targets"]["host"], document["targets"]["rv32"]
    assert host["mismatches"] == 0
    assert set(rv32) >= {"mismatches", "engine", "compiler", "instructions", "code_bytes", "stack_bytes"}
    assert set(rv32["instructions"]) == {"min", "mean", "max"}
    assert rv32["engine"].startswith("unicorn ")
    assert rv32["instructions"]["min"] > load_macs(builds["image"])
    json.dumps(document, allow_nan=False)


def load_macs(build: Path) -> int:
    return int(json.loads((build / "manifest.json").read_text())["macs"])


def test_the_maximum_covers_the_input_without_zeros(tmp_path: Path) -> None:
    """Blank images cost less where zeros are skipped; the worst case is known all the same."""
    pytest.importorskip("unicorn")
    build = write_example(IMAGE, tmp_path)
    pattern = r"(int image_run\(const image_in_t \*in,[^;]*?\)\n\{\n)"
    loop = r"\1    for (volatile int i = in[0] ? 100 : 0; i > 0; i = i - 1) { }\n"
    slow = edited_in_place(build, pattern, loop)
    blank = np.zeros((30, *IMAGE.shape), np.uint8)
    counts = verify(slow, blank, ("rv32",), count=None).target("rv32").instructions
    assert counts is not None
    assert counts.counted == 30
    assert counts.maximum - counts.minimum > 300
    assert counts.mean < counts.minimum + 100


def edited_in_place(build: Path, pattern: str, replacement: str) -> Path:
    header = build / "image.h"
    text, count = re.subn(pattern, replacement, header.read_text(), count=1)
    assert count == 1
    header.write_text(text)
    return build


def test_progress_reaches_its_end(builds: dict[str, Path]) -> None:
    seen: list[tuple[int, int]] = []
    verify(
        builds["bytes"],
        samples_of(BYTES, 30),
        ("host",),
        progress=lambda done, total, text="": seen.append((done, total)),
    )
    assert seen[-1] == (32, 32)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_counted_samples_are_spread_evenly() -> None:
    assert _spaced(100, 5).tolist() == [0, 25, 50, 74, 99]
    assert _spaced(3, 20).tolist() == [0, 1, 2]
    assert _spaced(4, None).tolist() == [0, 1, 2, 3]
    assert _spaced(9, 1).tolist() == [0]
    for count in (0, -3):
        with pytest.raises(QnnError, match="--count"):
            _spaced(10, count)


def test_targets() -> None:
    assert parse_targets(" rv32, host,rv32 ") == ("rv32", "host")
    with pytest.raises(QnnError, match="'board2' is no target; use some of host, rv32, qemu"):
        parse_targets("host,board2")
    with pytest.raises(QnnError, match="names no target"):
        parse_targets(" , ")


def test_nothing_stays_behind_even_in_a_folder_with_an_odd_name(
    builds: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "übung & mehr 'x', $HOME"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert verify(builds["bytes"], samples_of(BYTES, 20), targets(), count=1, layers=True).ok
    assert not list(folder.iterdir())
    broken = edited(builds["bytes"], tmp_path / "bytes", r"int bytes_run\(", "int bytes_run(broken, ")
    for target in targets():
        with pytest.raises(QnnError, match=r"bytes\.h"):
            verify(broken, samples_of(BYTES, 2), (target,))
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["main", "job", "model", "x"])
def test_names_that_could_collide(name: str, tmp_path: Path) -> None:
    build = write_example(replace(BYTES, name=name), tmp_path)
    assert verify(build, samples_of(BYTES, 5), ("host", "rv32"), count=1).ok


def test_bad_builds(builds: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"model\.qnn: no such file"):
        verify(tmp_path, samples_of(BYTES, 3))
    with pytest.raises(QnnError, match="there are none"):
        verify(builds["bytes"], samples_of(BYTES, 0))
    with pytest.raises(QnnError, match="have the shape"):
        verify(builds["bytes"], samples_of(IMAGE, 3), ("host",))
    headless = tmp_path / "headless"
    shutil.copytree(builds["bytes"], headless)
    (headless / "bytes.h").unlink()
    with pytest.raises(QnnError, match=r"bytes\.h: no such file; compile the model again"):
        verify(headless, samples_of(BYTES, 3), ("host",))
    (headless / "bytes.h").write_bytes((builds["bytes"] / "bytes.h").read_bytes()[:-300])
    with pytest.raises(QnnError, match=r"bytes\.h") as caught:
        verify(headless, samples_of(BYTES, 3), ("host",))
    assert "\n" not in str(caught.value)


def test_command_line(
    builds: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on = ",".join(targets())
    arguments = ("verify", str(builds["readings"]), "--data", "random:60", "--on", on, "--count", "all")
    assert qnn(*arguments, "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["samples"], document["data"], document["part"]) == (60, "random:60", "all")
    assert document["targets"]["rv32"]["counted"] == 60
    assert qnn(*arguments, "--layers", monkeypatch=monkeypatch) == 0
    assert "bit for bit" in capsys.readouterr().out
    assert qnn(*arguments, "--quiet", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == ""


def test_command_line_says_when_it_takes_other_data(
    builds: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert qnn("verify", str(builds["bytes"] / "model.qnn"), "--on", "host", monkeypatch=monkeypatch) == 0
    said = capsys.readouterr()
    assert "warning: using random:1000" in said.err
    assert "1,000 samples of random:1000" in said.out


@pytest.mark.parametrize("more", [(), ("--json",), ("--quiet",)])
def test_command_line_fails_on_a_difference(
    more: tuple[str, ...],
    builds: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pattern = (
        r"(int readings_value\(const readings_in_t \*in, int32_t \*values, void \*scratch\)\n\{.*?)(    return 0;)"
    )
    build = edited(builds["readings"], tmp_path / "readings", pattern, r"\1    values[1] += 5;\n\2")
    arguments = ("verify", str(build), "--data", "random:20", "--on", "host", *more)
    assert qnn(*arguments, monkeypatch=monkeypatch) == 1
    said = capsys.readouterr()
    match = re.search(
        r"host: 22 values differ, the first: sample with all inputs at their maximum, layer value, index \[1\]: "
        r"the simulator says (-?\d+), the C says (-?\d+)",
        said.err,
    )
    assert match
    assert int(match[2]) == int(match[1]) + 5
    if "--json" in more:
        first = json.loads(said.out)["targets"]["host"]["first_mismatch"]
        assert (first["layer"], first["index"], first["got"] - first["expected"]) == ("value", [1], 5)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--on", "esp"), "'esp' is no target"),
        (("--count", "some"), "'some' is not a number of samples"),
        (("--count", "0"), "'0' is not a number of samples"),
        (("--rv32-compiler", "no-such-cc"), "--rv32-compiler: no-such-cc was not found"),
        (("--data", "no-such-file.csv"), "no such file"),
        (("--part", "rest"), "is not a part"),
    ],
)
def test_command_line_refuses(
    arguments: tuple[str, ...],
    problem: str,
    builds: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert qnn("verify", str(builds["bytes"]), *arguments, monkeypatch=monkeypatch) == 2
    said = capsys.readouterr()
    assert problem in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_command_line_without_a_compiler(
    builds: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_ziglang", lambda: None)
    for name in ("CC", "QNN_RV32_CC"):
        monkeypatch.delenv(name, raising=False)
    for target, problem in (("host", "C compiler: none was found"), ("rv32", "RV32 compiler: none was found")):
        arguments = ("verify", str(builds["bytes"]), "--data", "random:5", "--on", target)
        assert qnn(*arguments, monkeypatch=monkeypatch) == 2
        said = capsys.readouterr()
        assert problem in said.err
        assert said.err.count("\n") == 1


def test_doctor_tries_what_it_finds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("unicorn")
    assert qnn("doctor", "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    roles = {part["role"] for part in document["parts"] if not part["problem"]}
    assert document["ok"] is True
    assert roles >= {"host compiler", "RV32 compiler", "emulator", "package"}


def test_doctor_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_ziglang", lambda: None)
    for name in ("CC", "QNN_RV32_CC"):
        monkeypatch.delenv(name, raising=False)
    assert qnn("doctor", monkeypatch=monkeypatch) == 1
    said = capsys.readouterr().out
    assert "no C compiler works: install gcc or clang" in said
    assert "no RV32 compiler works: pip install 'qnn[rv32]'" in said
    assert "Something is missing" in said


def test_doctor_reports_a_compiler_that_does_not_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("a shell script stands for a compiler here")
    program = tmp_path / "odd-gcc"
    program.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'gcc (GCC) 1.0.0' && exit 0\necho 'odd: error: broken' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("CC", str(program))
    part = next(part for part in examine().parts if part.role == "host compiler")
    assert (part.name, part.version) == ("odd-gcc", "1.0.0")
    assert "odd: error: broken" in part.problem
