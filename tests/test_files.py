# SPDX-License-Identifier: MIT
"""Output files: whole or not at all, where the name leads, with the rights that were there."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from qnn.errors import QnnError
from qnn.files import write_all_whole, write_whole

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and devices of POSIX")


@posix_only
def test_a_device_is_refused_and_stays_one() -> None:
    with pytest.raises(QnnError, match="/dev/full: cannot be written \\(is not a regular file\\)"):
        write_whole(Path("/dev/full"), b"x")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@posix_only
def test_a_fifo_is_refused_and_nothing_else_is_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(QnnError, match="is not a regular file"):
        write_all_whole([(tmp_path / "a", b"a"), (tmp_path / "fifo", b"b")])
    assert (tmp_path / "fifo").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["fifo"]


@posix_only
def test_a_symlink_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    target = tmp_path / "kept" / "model.qnn"
    target.write_bytes(b"old")
    for name in ("link", "dangling"):
        (tmp_path / name).symlink_to(target if name == "link" else tmp_path / "kept" / "new")
        write_whole(tmp_path / name, name.encode())
        assert (tmp_path / name).is_symlink()
    assert target.read_bytes() == b"link"
    assert (tmp_path / "kept" / "new").read_bytes() == b"dangling"
    assert len(list((tmp_path / "kept").iterdir())) == 2


@posix_only
def test_a_loop_of_symlinks_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(QnnError, match="a: "):
        write_whole(tmp_path / "a", b"x")


@posix_only
def test_a_file_keeps_its_mode_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"old")
    (tmp_path / "secret").chmod(0o600)
    before = os.umask(0o027)
    try:
        write_all_whole([(tmp_path / "secret", b"new"), (tmp_path / "fresh", b"new")])
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"secret": 0o600, "fresh": 0o640}


def test_the_umask_is_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread's files would be open to everyone for that instant."""

    def umask(mask: int) -> int:
        pytest.fail("the process's umask was touched")

    monkeypatch.setattr(os, "umask", umask)
    write_whole(tmp_path / "file", b"x")


@pytest.mark.parametrize("links", [True, False])
def test_a_failed_rename_puts_everything_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    for name in ("a", "c"):
        (tmp_path / name).write_bytes(b"old " + name.encode())
    replace, calls = os.replace, []

    def fails(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 3:
            raise OSError(errno.EACCES, "Permission denied")
        replace(source, target)

    def without_links(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "replace", fails)
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", without_links)
    with pytest.raises(QnnError, match="c: cannot be written \\(Permission denied\\)"):
        write_all_whole([(tmp_path / "a", b"1"), (tmp_path / "b", b"2"), (tmp_path / "c", b"3")])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old a", "c": b"old c"}


def test_a_stop_between_renames_puts_everything_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    replace = os.replace

    def stopped(source: Path, target: Path) -> None:
        if target.name == "b":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_all_whole([(tmp_path / "a", b"1"), (tmp_path / "b", b"2")])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}
