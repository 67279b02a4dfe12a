# SPDX-License-Identifier: MIT
"""Downloads from a server on this machine: whole files, broken ones, mirrors that fail, and no network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qnn.data.fetch import MIRRORS, MNIST, Download, fetch
from qnn.errors import QnnError

CONTENT = {"a.gz": b"first file " * 30_000, "b.gz": b"second"}
DOWNLOADS = tuple(Download(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENT.items())

Answer = Callable[[str], tuple[int, bytes, int]]
Serve = Callable[[Answer], tuple[str, list[str]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server whose answers (status, body, announced length) a function gives; returns (address, requests)."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> tuple[str, list[str]]:
        requests: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.path)
                status, body, length = answer(self.path.rsplit("/", 1)[-1])
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/mnist/", requests

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def whole(name: str) -> tuple[int, bytes, int]:
    return 200, CONTENT[name], len(CONTENT[name])


def get(folder: Path, *mirrors: str, **more: object) -> tuple[Path, ...]:
    return fetch(folder, DOWNLOADS, mirrors, timeout=5.0, **more)  # type: ignore[arg-type]


def test_files_arrive_whole(tmp_path: Path, serve: Serve) -> None:
    address, requests = serve(whole)
    seen: list[tuple[int, int]] = []
    paths = get(tmp_path / "new" / "mnist", address, progress=lambda done, total, text="": seen.append((done, total)))
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["a.gz", "b.gz"]
    assert requests == ["/mnist/a.gz", "/mnist/b.gz"]
    assert len(seen) > 4
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (sum(map(len, CONTENT.values())),) * 2


def test_what_is_there_is_kept_and_what_is_broken_replaced(tmp_path: Path, serve: Serve) -> None:
    address, requests = serve(whole)
    (tmp_path / "a.gz").write_bytes(CONTENT["a.gz"])
    (tmp_path / "b.gz").write_bytes(b"sec0nd")
    get(tmp_path, address)
    assert requests == ["/mnist/b.gz"]
    assert (tmp_path / "b.gz").read_bytes() == b"second"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda name: (404, b"no", 2), "answered 404"),
        (lambda name: (200, CONTENT[name][:-1] + b"?", len(CONTENT[name])), "sent another file or a part of it"),
        (lambda name: (200, CONTENT[name][:-1], len(CONTENT[name]) - 1), "sent another file or a part of it"),
        (lambda name: (200, CONTENT[name] + b"more" * 500_000, len(CONTENT[name]) + 2_000_000), "sent another file"),
        (lambda name: (200, b"", 0), "sent another file"),
    ],
)
def test_the_next_mirror_is_tried(tmp_path: Path, serve: Serve, answer: Answer, words: str) -> None:
    bad, good = serve(answer), serve(whole)
    get(tmp_path / "both", bad[0], good[0])
    assert (tmp_path / "both" / "a.gz").read_bytes() == CONTENT["a.gz"]
    assert good[1] == ["/mnist/a.gz", "/mnist/b.gz"]
    with pytest.raises(QnnError) as caught:
        get(tmp_path / "bad", bad[0])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bad").exists()


def test_a_connection_that_breaks_off_leaves_nothing(tmp_path: Path, serve: Serve) -> None:
    address, _ = serve(lambda name: (200, CONTENT[name][:100], len(CONTENT[name])))
    with pytest.raises(QnnError, match=r"a\.gz: no mirror gives it"):
        get(tmp_path / "mnist", address)
    assert not (tmp_path / "mnist").exists()


def test_a_second_file_that_fails_leaves_the_first(tmp_path: Path, serve: Serve) -> None:
    address, _ = serve(lambda name: whole(name) if name == "a.gz" else (500, b"", 0))
    with pytest.raises(QnnError, match=r"b\.gz: no mirror gives it \(127\.0\.0\.1:\d+: answered 500\)"):
        get(tmp_path, address)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]


def test_no_network_is_one_clear_line(tmp_path: Path, serve: Serve) -> None:
    address, _ = serve(whole)
    refused = address.replace(address.split(":")[2], "1/")
    for mirror in (refused, "http://name.invalid/", "nonsense", "ftp:///"):
        with pytest.raises(QnnError, match="check the network") as caught:
            get(tmp_path / "mnist", mirror)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "mnist").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path, serve: Serve) -> None:
    address, _ = serve(whole)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(QnnError, match="cannot be written"):
        get(tmp_path / "file", address)
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_known_files_are_the_real_ones(data_dir: Path, serve: Serve, tmp_path: Path) -> None:
    for download in MNIST:
        content = (data_dir / "mnist" / download.name).read_bytes()
        assert len(content) == download.size
        assert hashlib.sha256(content).hexdigest() == download.sha256
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in MIRRORS)
    published = {"f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432"}
    published |= {"9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c"}
    found = {hashlib.md5((data_dir / "mnist" / d.name).read_bytes(), usedforsecurity=False).hexdigest() for d in MNIST}
    assert found == published
