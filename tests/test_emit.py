# SPDX-License-Identifier: MIT
"""The emitted C: free of warnings, integer-only, self-contained, reproducible, and usable beside another model's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from graphs import random_graph
from networks import BINARY, BYTES, EXAMPLES, IMAGE, READINGS, Example, model_of, write_example

from qnn.calibration import calibrate
from qnn.compiler import build_graph, compile_model
from qnn.emitter.ccheck import check_c
from qnn.emitter.runtime import runtime_folder, runtime_text
from qnn.errors import QnnError
from qnn.modelfile import save_model
from qnn.names import check_name, comment_text, name_from

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
DIALECTS = (
    ("gcc", "-std=c99", "-x", "c"),
    ("clang", "-std=c99", "-x", "c"),
    ("g++", "-std=c++11", "-x", "c++"),
    ("clang++", "-std=c++17", "-x", "c++"),
)


def compiler_or_skip(name: str) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: this test did not run")
    return name


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the build of every example in it."""
    folder = tmp_path_factory.mktemp("builds")
    for example in EXAMPLES:
        write_example(example, folder / example.name)
    return folder


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d[0])
def test_no_warnings_and_example_runs(builds: Path, tmp_path: Path, dialect: tuple[str, ...]) -> None:
    compiler_or_skip(dialect[0])
    for example in EXAMPLES:
        source, program = builds / example.name / "example.c", tmp_path / example.name
        subprocess.run([*dialect, "-O2", *WARNINGS, str(source), "-o", str(program)], check=True)
        done = subprocess.run([str(program)], check=True, capture_output=True, text=True)
        assert done.stdout.endswith("0 differences from the simulator\n")


def test_hostile_names_stay_inside_comments(tmp_path: Path) -> None:
    """Feature and class names with comment marks, trigraphs and backslashes (tests/graphs.py) do not break the C."""
    for seed in range(8):
        build = build_graph(random_graph(np.random.default_rng(seed)), None, None)
        header = tmp_path / "net.h"
        header.write_bytes(dict(build.files)["net.h"])
        command = ["-std=c99", "-trigraphs", *WARNINGS, "-fsyntax-only", "-x", "c", str(header)]
        subprocess.run([compiler_or_skip("gcc"), *command], check=True)


def test_two_models_link_into_one_program(builds: Path, tmp_path: Path) -> None:
    main = tmp_path / "main.c"
    main.write_text(
        """#define bytes_DECLARE_ONLY
#include "bytes/bytes.h"
#define image_DECLARE_ONLY
#include "image/image.h"
int main(void) {
    static uint8_t in[image_INPUTS + bytes_INPUTS];
    static uint32_t scratch[(image_SCRATCH_BYTES + bytes_SCRATCH_BYTES) / 4];
    return image_classify(in, scratch) < 0 || bytes_classify(in, scratch) < 0;
}
"""
    )
    (tmp_path / "bytes.c").write_text('#include "bytes/bytes.h"\n#include "bytes/bytes.h"\n')
    (tmp_path / "both.c").write_text('#include "image/image.h"\n#include "readings/readings.h"\n')
    sources = [str(tmp_path / name) for name in ("main.c", "bytes.c", "both.c")]
    command = [compiler_or_skip("gcc"), "-std=c99", *WARNINGS, f"-I{builds}", *sources, "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True)
    subprocess.run([str(tmp_path / "main")], check=True)


def test_every_symbol_and_macro_has_the_prefix(builds: Path) -> None:
    for example in EXAMPLES:
        header = builds / example.name / f"{example.name}.h"
        command = [compiler_or_skip("gcc"), "-dM", "-E", "-x", "c", "-std=c99"]
        ours = subprocess.run([*command, str(header)], check=True, capture_output=True, text=True).stdout.splitlines()
        plain = "#include <stdint.h>\n"
        theirs = subprocess.run([*command, "-"], input=plain, check=True, capture_output=True, text=True).stdout
        for line in set(ours) - set(theirs.splitlines()):
            assert line.split()[1].startswith(f"{example.name}_"), line
        assert "qnn_" not in header.read_text()
        assert "QNN_" not in header.read_text()


@pytest.mark.parametrize("optimize", ["-O2", "-Os", "-O0"])
def test_object_needs_nothing_but_mem_functions(builds: Path, tmp_path: Path, optimize: str) -> None:
    compiler = compiler_or_skip("riscv64-unknown-elf-gcc")
    for example in EXAMPLES:
        obj = tmp_path / f"{example.name}.o"
        target = ("-march=rv32imc", "-mabi=ilp32", "-ffreestanding", optimize, "-c", "-x", "c")
        subprocess.run(
            [compiler, *target, str(builds / example.name / f"{example.name}.h"), "-o", str(obj)], check=True
        )
        listing = subprocess.run(["riscv64-unknown-elf-nm", "-u", str(obj)], check=True, capture_output=True, text=True)
        wanted = {line.split()[-1] for line in listing.stdout.splitlines()}
        assert wanted <= {"memcpy", "memset", "memmove", "memcmp"}, wanted


def test_same_input_same_bytes() -> None:
    for example in EXAMPLES:
        model = model_of(example)
        first = compile_model(model, calibrate(model, model.samples), example.name)
        second = compile_model(model, calibrate(model, model.samples), example.name)
        assert first.files == second.files


COMPILE_AND_HASH = """
import hashlib, sys
from dataclasses import replace
from pathlib import Path
from qnn.calibration import calibrate
from qnn.compiler import compile_model
from qnn.modelfile import load_model
model = load_model(Path(sys.argv[1]))
digest = hashlib.sha256()
for method in ("minmax", "percentile", "mse", "entropy"):
    for name, content in compile_model(model, calibrate(model, model.samples, method), "net").files:
        digest.update(content)
print(digest.hexdigest())
"""


def test_bytes_do_not_depend_on_blas_threads_locale_or_folder(tmp_path: Path) -> None:
    model = model_of(Example("wide", "dense 96 relu, dense 32 tanh, dense 10", (400,), "uint8", 10))
    path = tmp_path / "model.qnn"
    save_model(model, path)
    hashes = set()
    for core in ("Haswell", "Sandybridge", "SkylakeX"):
        for threads in ("1", "2"):
            folder = tmp_path / f"{core}{threads}"
            folder.mkdir()
            environment = os.environ | {
                "OPENBLAS_CORETYPE": core,
                "OPENBLAS_NUM_THREADS": threads,
                "LC_ALL": "C" if threads == "1" else "C.UTF-8",
                "PYTHONHASHSEED": threads,
            }
            command = [sys.executable, "-c", COMPILE_AND_HASH, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=folder)
            hashes.add(done.stdout)
    assert len(hashes) == 1


GOOD = "static int f(int a) { int i, s = 0; for (i = 0; i < a; i++) { s += i / 2; } return s; }\n"
FORBIDDEN = (
    ("float x;", "floating-point token 'float'"),
    ("static int g(void) { return (int)1.5; }", "floating-point token"),
    ("static int g(void) { return (int)1e3; }", "floating-point token"),
    ("#define HALF .5", "floating-point token"),
    ("static int g(int a) { return 4 / a; }", "division by a variable"),
    ("static int g(int a) { a %= a; return a; }", "division by a variable"),
    ("static int g(int a) { return g(a); }", "recursion"),
    ("static int h(int a); static int g(int a) { return h(a); } static int h(int a) { return g(a); }", "recursion"),
    ("static void g(void) { malloc(4); }", "a call of malloc"),
    ("static void g(void) { for (;;) { } }", "without a counted end"),
    ("static void g(int a) { int i; for (i = 0; i < 4; a++) { } }", "without a counted end"),
    ("static void g(int a) { while (a) { } }", "a while loop"),
    ("static void g(int a) { do { } while (a); }", "a do loop"),
    ("static void g(int a) { again: goto again; }", "a goto"),
    ("static int g(int (*p)(void)) { return (*p)(); }", "through a pointer"),
    ("static const int8_t t[2] = {\n1,x\n};", "not a list of integers"),
    ("static int g(", "does not parse"),
)


def test_integer_only_check_accepts_integer_code() -> None:
    check_c(GOOD, "net")


@pytest.mark.parametrize(("code", "problem"), FORBIDDEN)
def test_integer_only_check_refuses(code: str, problem: str) -> None:
    with pytest.raises(QnnError, match=problem):
        check_c(GOOD + code + "\n", "net")


def test_every_kernel_passes_the_integer_only_check() -> None:
    headers = sorted(path.name for path in runtime_folder().glob("*.h"))
    check_c(runtime_text(headers, "net"), "net")
    assert len(headers) >= 8


@pytest.mark.parametrize("name", ["", "3d", "a-b", "a b", "é", "int", "class", "_x", "x" * 49, "x\n"])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(QnnError, match="--name"):
        check_name(name)


@pytest.mark.parametrize("stem", ["model", "my model", "3d", "int", "", "é", "a-b.c", "x" * 99])
def test_file_names_become_valid_names(stem: str) -> None:
    assert check_name(name_from(stem))


@pytest.mark.parametrize("name", ["stdint", "stdio", "stddef", "stdlib", "string", "limits", "math", "Math", "time"])
def test_a_header_must_not_hide_the_systems(name: str) -> None:
    """gcc -I build: <stdlib.h> would be the network."""
    with pytest.raises(QnnError, match="hides the system's"):
        check_name(name)
    assert name_from(name) == f"net_{name}"


@pytest.mark.parametrize("count", range(2, 8))
def test_no_trigraph_is_left(count: int) -> None:
    for ending in "/=(')!<>-":
        assert "??" not in comment_text("?" * count + ending)


def test_comment_text_cannot_end_a_comment() -> None:
    assert comment_text("a */ b /* c ??/ \\ \n é") == "a * / b / * c ? ?/ \\\\ \\n \\xe9"


def test_heads_follow_the_task() -> None:
    kinds = {
        example.name: [node.name for node in compile_model(m, calibrate(m, m.samples), "n").graph.heads]
        for example in (BYTES, READINGS, BINARY, IMAGE)
        for m in [model_of(example)]
    }
    assert kinds["readings"] == ["value"]
    assert kinds["binary"] == kinds["bytes"] == ["class", "probabilities"]


def test_the_hash_does_not_know_where_the_data_lay() -> None:
    """The same data in another folder, or read by another name, is the same network and the same header."""
    model = model_of(READINGS)
    elsewhere = replace(model, record=replace(model.record, source="/home/me/readings.csv"))
    builds = [compile_model(m, calibrate(m, m.samples), "readings") for m in (model, elsewhere)]
    files = [dict(build.files) for build in builds]
    for name in ("readings.h", "manifest.json", "example.c"):
        assert files[0][name] == files[1][name]
    longer = replace(model, schema=replace(model.schema, targets=("a", "b")))
    other = dict(compile_model(longer, calibrate(longer, longer.samples), "readings").files)
    assert other["manifest.json"] != files[0]["manifest.json"]
