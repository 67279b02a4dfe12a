# SPDX-License-Identifier: MIT
"""Starting processes and finding compilers: what is preferred, what is refused, and how failures are told."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from qnn import process, toolchain
from qnn.errors import QnnError
from qnn.toolchain import CLANG, GCC, STRICT, ZIG, Compiler

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand for compilers here")


def python(*code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", "\n".join(code))


def fake(folder: Path, name: str, says: str, code: int = 0) -> Path:
    """A program that only answers `says`."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\nexit {code}\n")
    program.chmod(0o755)
    return program


def alive(pid: int) -> bool:
    """Does the process run? One that has ended may still wait for init to collect it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def without_ziglang(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == toolchain.ZIGLANG else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without compilers: the folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin" if sys.platform != "win32" else str(folder))
    monkeypatch.setattr(toolchain, "HOST_NAMES", ("qnn-cc", "qnn-gcc"))
    monkeypatch.setattr(toolchain, "RV32_NAMES", ("qnn-rv32-a", "qnn-rv32-b"))
    for name in ("CC", "QNN_RV32_CC"):
        monkeypatch.delenv(name, raising=False)
    without_ziglang(monkeypatch)
    return folder


def test_run_gives_output_and_code() -> None:
    result = process.run(
        python("import sys", "print('out')", "print('err', file=sys.stderr)", "sys.exit(3)"), check=False
    )
    assert (result.code, result.stdout.strip(), result.stderr.strip()) == (3, "out", "err")


def test_run_passes_arguments_literally(tmp_path: Path) -> None:
    argument = f"$HOME; touch {tmp_path}/x && echo 'a b' \"*\""
    result = process.run((*python("import sys", "print(sys.argv[1])"), argument))
    assert result.stdout.strip() == argument
    assert not list(tmp_path.iterdir())


def test_run_adds_to_the_environment_and_speaks_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("KEPT", "yes")
    code = python("import os", "print(os.environ['LC_ALL'], os.environ['KEPT'], os.environ['ADDED'])")
    assert process.run(code, env={"ADDED": "too"}).stdout.split() == ["C", "yes", "too"]


def test_failure_is_the_first_useful_line() -> None:
    text = "In file included from a.c:1:\nb.h:3:5: error: \\x1b[31mno such thing\nb.h:9: error: more"
    with pytest.raises(QnnError) as caught:
        process.run(python("import sys", f"sys.stderr.write({text!r})", "sys.exit(1)"), subject="b.h", remedy="fix it")
    assert str(caught.value) == "b.h: b.h:3:5: error: \\x1b[31mno such thing; fix it"


def test_failure_without_a_word_still_says_something() -> None:
    with pytest.raises(QnnError, match="exit code 7"):
        process.run(python("import sys", "sys.exit(7)"))


def test_missing_program() -> None:
    with pytest.raises(QnnError, match="no-such-program-1 was not found") as caught:
        process.run(("no-such-program-1",))
    assert "\n" not in str(caught.value)


@posix_only
def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"\x00\x01 not a program")
    path.chmod(0o755)
    with pytest.raises(QnnError, match="cannot be started"):
        process.run((str(path),))


def test_output_is_bounded() -> None:
    result = process.run(python("import sys", f"sys.stdout.write('x' * {process.OUTPUT_LIMIT + 5000})"))
    assert len(result.stdout) == process.OUTPUT_LIMIT


@posix_only
def test_timeout_ends_grandchildren_too(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {marker}.new; mv {marker}.new {marker}; wait"
    with pytest.raises(QnnError, match=r"took longer than 2 s"):
        process.run(("/bin/sh", "-c", script), timeout=2)
    pid = int(marker.read_text())
    for _ in range(100):
        if not alive(pid):
            return
        time.sleep(0.05)
    pytest.fail("the grandchild still runs")


@posix_only
def test_order_of_preference(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(bare, "qnn-gcc", "qnn-gcc (GCC) 9.9.9\nFree Software Foundation")
    fake(bare, "qnn-cc", "Apple clang version 15.0.0 (clang-1500.3.9.4)\nTarget: arm64")
    other = fake(bare.parent / "my tools", "other-gcc", "other-gcc (GCC) 1.2.3")
    assert [str(compiler) for compiler in toolchain.host_compilers()] == ["qnn-cc 15.0.0", "qnn-gcc 9.9.9"]
    assert toolchain.host_compiler().kind == CLANG
    monkeypatch.setenv("CC", str(other))  # a path with a space in it is one word
    assert toolchain.host_compiler() == Compiler(GCC, (str(other),), "1.2.3")
    monkeypatch.setenv("CC", "qnn-gcc -m32")
    found = toolchain.host_compiler()
    assert (found.command[1:], str(found)) == (("-m32",), "qnn-gcc 9.9.9")


@posix_only
def test_rv32_order_and_choice(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(bare, "qnn-rv32-b", "qnn-rv32-b (GCC) 2.0.0")
    assert str(toolchain.rv32_compiler()) == "qnn-rv32-b 2.0.0"
    fake(bare, "qnn-rv32-a", "qnn-rv32-a (GCC) 1.0.0")
    assert str(toolchain.rv32_compiler()) == "qnn-rv32-a 1.0.0"
    fake(bare, "mine-gcc", "mine-gcc (GCC) 3.0.0")
    monkeypatch.setenv("QNN_RV32_CC", "mine-gcc")
    assert str(toolchain.rv32_compiler()) == "mine-gcc 3.0.0"
    assert str(toolchain.rv32_compiler("qnn-rv32-b")) == "qnn-rv32-b 2.0.0"


@posix_only
def test_a_name_without_a_compiler_behind_it_is_passed_over(bare: Path) -> None:
    fake(bare, "qnn-cc", "xcode-select: note: no developer tools were found", code=1)
    fake(bare, "qnn-gcc", "qnn-gcc (GCC) 9.9.9")
    assert str(toolchain.host_compiler()) == "qnn-gcc 9.9.9"


@pytest.mark.usefixtures("bare")
def test_no_compiler_at_all() -> None:
    with pytest.raises(QnnError, match="C compiler: none was found; install gcc or clang"):
        toolchain.host_compiler()
    with pytest.raises(QnnError, match="RV32 compiler: none was found; pip install 'qnn"):
        toolchain.rv32_compiler()
    with pytest.raises(QnnError, match="ziglang is not installed"):
        toolchain.rv32_compiler("ziglang")


@posix_only
def test_microsoft_compiler_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(bare, "cl", "Microsoft (R) C/C++ Optimizing Compiler")
    with pytest.raises(QnnError, match="cl is there, but it is not supported"):
        toolchain.host_compiler()
    monkeypatch.setenv("CC", "cl.exe")
    with pytest.raises(QnnError, match=r"\$CC: cl is not supported"):
        toolchain.host_compiler()


@posix_only
@pytest.mark.parametrize("says", ["tcc version 0.9.27", ""])
def test_what_is_not_gcc_or_clang_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    fake(bare, "strange", says)
    monkeypatch.setenv("CC", "strange")
    with pytest.raises(QnnError, match=r"\$CC: strange is not a working gcc or clang") as caught:
        toolchain.host_compiler()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("variable", "find"), [("CC", toolchain.host_compiler), ("QNN_RV32_CC", toolchain.rv32_compiler)]
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, find: object) -> None:
    monkeypatch.setenv(variable, "no-such-compiler")
    with pytest.raises(QnnError, match=rf"\${variable}: no-such-compiler was not found"):
        find()  # type: ignore[operator]


def test_ziglang_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    for name in ("CC", "QNN_RV32_CC", "ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for compiler in (toolchain.host_compiler(), toolchain.rv32_compiler(), toolchain.rv32_compiler("ziglang")):
        assert compiler.kind == ZIG
        assert compiler.command == (sys.executable, "-m", "ziglang", "cc")
    caches = toolchain.environment(toolchain.rv32_compiler())
    checkout = Path(__file__).resolve().parents[1]
    assert set(caches) == {"ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"}
    assert all(checkout not in Path(folder).parents for folder in caches.values())
    monkeypatch.setenv("ZIG_LOCAL_CACHE_DIR", str(tmp_path))  # the user's own choice stays
    assert set(toolchain.environment(compiler)) == {"ZIG_GLOBAL_CACHE_DIR"}


@posix_only
def test_ziglangs_cache_is_the_users_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the user's cache cannot be made it goes into the temporary folder, which everybody can write."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "file" / "qnn"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    zig = Compiler(ZIG, ("zig", "cc"), "1")
    for name in toolchain.ZIG_CACHES:
        monkeypatch.delenv(name, raising=False)
    cache = Path(toolchain.environment(zig)["ZIG_GLOBAL_CACHE_DIR"])
    assert cache.parent == tmp_path
    assert cache.stat().st_mode & 0o777 == 0o700
    cache.chmod(0o777)  # as somebody else could have made it
    with pytest.raises(QnnError, match="only this user can write"):
        toolchain.environment(zig)
    cache.rmdir()
    cache.symlink_to(tmp_path)
    with pytest.raises(QnnError, match="only this user can write"):
        toolchain.environment(zig)
    for name in toolchain.ZIG_CACHES:
        monkeypatch.setenv(name, str(tmp_path))
    assert toolchain.environment(zig) == {}


def test_every_warning_is_an_error() -> None:
    command = toolchain.compile_command(Compiler(GCC, ("gcc",), "1"), ("-O2",), ("a.c",), "a.o")
    assert command == ["gcc", *STRICT, "-O2", "a.c", "-o", "a.o"]
    assert {"-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"} <= set(command)


@pytest.mark.parametrize("kind", [GCC, CLANG, ZIG])
def test_rv32_flags_name_the_chip(kind: str) -> None:
    flags = " ".join(toolchain.rv32_flags(Compiler(kind, ("x",), "1"), "-Os"))
    assert "-Os" in flags
    assert "-ffreestanding" in flags
    assert "zicsr" not in flags
    assert "zicsr" in " ".join(toolchain.rv32_flags(Compiler(kind, ("x",), "1"), csr=True))
    assert "rv32" in flags


def test_broken_c_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.c").write_text("int f(void)\n{\n    return missing;\n}\n")
    compiler = toolchain.host_compiler()
    with pytest.raises(QnnError) as caught:
        toolchain.compile_c(compiler, ("-c",), ("broken.c",), "broken.o", cwd=tmp_path, subject="broken.h")
    text = str(caught.value)
    assert text.startswith(f"broken.h ({compiler}): broken.c:3:12: error:")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("gcc (Debian 12.2.0-14+deb12u1) 12.2.0", "12.2.0"),
        ("riscv32-esp-elf-gcc (crosstool-NG esp-14.2.0_20241119) 14.2.0", "14.2.0"),
        ("gcc (GCC) 13.2.1 20240210 (Red Hat 13.2.1-7)", "13.2.1"),
        ("Debian clang version 14.0.6", "14.0.6"),
        ("Apple clang version 15.0.0 (clang-1500.3.9.4)", "15.0.0"),
        ("clang version nightly", "clang version nightly"),
    ],
)
def test_versions(line: str, version: str) -> None:
    assert toolchain._version(line) == version
