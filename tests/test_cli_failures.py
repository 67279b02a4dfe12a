# SPDX-License-Identifier: MIT
"""What the command line does when the machine fails it: one line, exit code 2, nothing left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from networks import BYTES, READINGS, model_of, write_example

from qnn.cli import main
from qnn.modelfile import save_model

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build folder of a small network."""
    return write_example(READINGS, tmp_path_factory.mktemp("failures") / "readings")


def broken(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_graph(path: Path) -> None:
        raise error

    monkeypatch.setattr("qnn.cli.inspect.load_model", load_graph)
    monkeypatch.setattr("qnn.cli.simulate.load_graph", load_graph)


def test_an_operating_system_error_is_one_line(qnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(OSError(errno.ENOSPC, "No space left on device", "/tmp/x\ny"), monkeypatch)
    code, out, err = qnn("simulate", "build")
    assert (code, out) == (2, "")
    assert err == "qnn: /tmp/x\\ny: No space left on device (OSError); check the free space and the permissions\n"


@pytest.mark.parametrize("debug", [False, True])
def test_an_unexpected_error_is_one_line(qnn: Run, monkeypatch: pytest.MonkeyPatch, debug: bool) -> None:
    broken(KeyError("low\nhigh"), monkeypatch)
    monkeypatch.setenv("QNN_DEBUG", "1" if debug else "")
    code, _, err = qnn("simulate", "build")
    assert code == 2
    last = err.splitlines()[-1]
    assert last.startswith("qnn: internal error: KeyError: ")
    assert "report it" in last
    assert err.startswith("Traceback") if debug else err.count("\n") == 1


@posix_only
def test_a_full_temporary_folder_is_no_failed_check(build: Path, tmp_path: Path) -> None:
    """A limit of 4 KB a file stands for a full disk; exit code 1 would say that the C is wrong."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        f"sys.argv = ['qnn', 'verify', {str(build)!r}, '--data', 'random:20', '--on', 'host'];"
        "from qnn.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("qnn: ")
    assert done.stderr.count("\n") == 1


def test_names_beyond_the_code_page_are_escaped(tmp_path: Path) -> None:
    model = model_of(BYTES)
    schema = replace(model.schema, classes=("日本", *model.schema.classes[1:]))
    save_model(replace(model, schema=schema), tmp_path / "names.qnn")
    for words in (("inspect", "names.qnn"), ("inspect", "日本.qnn")):
        done = subprocess.run(
            [sys.executable, "-m", "qnn", *words],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": "cp1252"},
            check=False,
            cwd=tmp_path,
        )
        assert b"\\u65e5\\u672c" in done.stdout + done.stderr
        assert b"Error" not in done.stderr


@posix_only
def test_sigterm_leaves_no_temporary_folder(build: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; import qnn.cli.verify as v; from qnn.engines.host import HostEngine;"
        "HostEngine.run = lambda *a: (print('running', flush=True), time.sleep(60));"
        f"sys.argv = ['qnn', 'verify', {str(build)!r}, '--data', 'random:20', '--on', 'host'];"
        "from qnn.cli import main; main()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"running\n"
        assert list(tmp_path.iterdir())
        child.terminate()
        assert child.wait(30) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_the_handler_of_sigterm_is_put_back(qnn: Run) -> None:
    before = signal.getsignal(signal.SIGTERM)
    qnn("inspect", "nothing")
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_command_line_runs_in_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["qnn", "inspect", "nothing"])
    codes: list[object] = []

    def run() -> None:
        try:
            main()
        except SystemExit as stopped:
            codes.append(stopped.code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert codes == [2]
