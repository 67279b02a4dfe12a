# SPDX-License-Identifier: MIT
"""Firmware, virtual board and the commands around them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from boards import board_of, built, firmware_of
from conftest import Run
from networks import BINARY, BYTES, EXAMPLES, IMAGE, READINGS, Example, samples_of

from qnn import toolchain
from qnn.board import flasher, ports, protocol
from qnn.board.emulator import ALL, FIRST, NONE, Board
from qnn.board.engine import BoardEngine
from qnn.board.firmware import FIRMWARE_LIMIT, build_firmware, firmware_folder
from qnn.board.image import esptool
from qnn.board.link import Link, Request
from qnn.board.peripherals import UART, USB
from qnn.board.ports import BoardStream, Port, choose_port, open_port
from qnn.board.romimage import parse_image
from qnn.board.virtual import open_endpoint, serve
from qnn.engines.engine import CrashError
from qnn.errors import QnnError
from qnn.files import write_whole
from qnn.graphfile import load_graph
from qnn.ops.choices import RAM
from qnn.simulator import simulate, tensor_names
from qnn.toolchain import GCC, ZIG, Compiler
from qnn.verifier import BoardPort, verify


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The build folder of each example, by its name."""
    folder = tmp_path_factory.mktemp("builds")
    return {example.name: built(example, folder / example.name) for example in EXAMPLES}


def compiler_of(kind: str) -> Compiler:
    """The first RV32 compiler of a family; the test is skipped, loudly, where there is none."""
    found = next((found for found in toolchain.rv32_compilers() if found.kind == kind), None)
    if found is None:
        pytest.skip(f"no {kind} for RV32 on this machine: this test did not run")
    return found


@pytest.fixture(params=[GCC, ZIG])
def compiler(request: pytest.FixtureRequest) -> Compiler:
    return compiler_of(request.param)


def edited(build: Path, folder: Path, sample: str) -> Path:
    """A copy of `build` in which NAME_run also executes the C `sample`."""
    shutil.copytree(build, folder)
    header = folder / f"{build.name}.h"
    start = f"int {build.name}_run(const {build.name}_in_t *in, {build.name}_out_t *out, void *scratch)\n{{\n"
    text = header.read_text()
    assert start in text
    header.write_text(text.replace(start, start + sample))
    return folder


CASES = (
    (BYTES, "flash", GCC),
    (IMAGE, RAM, GCC),
    (READINGS, "flash", GCC),
    (BINARY, RAM, GCC),
    (IMAGE, "flash", ZIG),
    (READINGS, RAM, ZIG),
)


@pytest.mark.parametrize(("example", "weights", "kind"), CASES, ids=lambda value: str(getattr(value, "name", value)))
def test_every_tensor_of_every_example(example: Example, weights: str, kind: str, builds: dict[str, Path]) -> None:
    build, compiler = builds[example.name], compiler_of(kind)
    graph, x = load_graph(build / "model.qnn"), samples_of(example, 20, 1)
    board = board_of(firmware_of(build, weights, compiler), watch=ALL)
    engine = BoardEngine(build, graph, BoardStream(board, USB))
    expected = simulate(graph, x, tensor_names(graph))
    found = engine.run(x, expected[graph.quantized_input]) | engine.trace(x[:3])
    assert len(found) > len(graph.nodes)
    for name, values in found.items():
        wanted = expected.get(name, expected[graph.output])
        np.testing.assert_array_equal(values, wanted[: len(values)])
    assert board.faults == []
    assert engine.link.self_test() == (3, 0)


@pytest.mark.parametrize("weights", ["flash", RAM])
def test_the_firmware_is_small_and_its_image_valid(
    weights: str, compiler: Compiler, builds: dict[str, Path], tmp_path: Path
) -> None:
    firmware = firmware_of(builds[IMAGE.name], weights, compiler)
    assert 2000 < firmware.firmware_bytes <= FIRMWARE_LIMIT
    (tmp_path / "flash.bin").write_bytes(firmware.flash)
    told = esptool(("--chip", "esp32c3", "image-info", "flash.bin"), tmp_path, "image")
    assert told.count("(valid)") == 2
    assert "Flash mode: DIO" in told
    assert "Entry point: 0x40380000" in told
    in_ram = firmware.symbols["_model_end"] - firmware.symbols["_model_start"]
    constants = firmware.placement.ram_bytes  # small ones are built into the code; the end is aligned
    assert constants * 2 // 3 < in_ram < constants + 64 if weights == RAM else in_ram == constants == 0


def test_equal_builds_give_equal_images(builds: dict[str, Path]) -> None:
    build = builds[BINARY.name]
    assert build_firmware(build).flash == firmware_of(build).flash


def greeting(board: Board, line: int = UART) -> str:
    board.run()
    return board.receive(line).decode()


def test_the_greeting_tells_clock_and_self_test(builds: dict[str, Path]) -> None:
    board = board_of(firmware_of(builds[IMAGE.name]))
    expected = "\nqnn image on ESP32-C3\nclock 160000 kHz\nself-test PASS\n\0"
    assert greeting(board) == expected
    assert board.receive(USB).decode() == expected
    board.reset()
    assert greeting(board, USB) == expected


def test_a_wrong_clock_is_told(builds: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.board.peripherals.CYCLES_PER_TICK", 20)
    text = greeting(board_of(firmware_of(builds[IMAGE.name])))
    assert "clock 320000 kHz, NOT the 160 MHz that were set" in text


def test_a_system_timer_that_stands_is_told(builds: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.board.peripherals.CYCLES_PER_READING", 0)
    board = board_of(firmware_of(builds[IMAGE.name]))
    text = "".join(greeting(board) for _ in range(25))
    assert "clock 0 kHz, NOT the 160 MHz that were set\nself-test PASS" in text


def test_a_failing_self_test_is_told(builds: dict[str, Path], tmp_path: Path) -> None:
    name = BYTES.name
    build = edited(builds[name], tmp_path / name, "")
    header = build / f"{name}.h"
    before, _, after = header.read_text().partition(f"{name}_self_test_out[12] = {{\n")
    values = after[: after.index("\n")].split(",")
    values[6] = str(int(values[6]) - 1)
    header.write_text(f"{before}{name}_self_test_out[12] = {{\n{','.join(values)}{after[after.index(chr(10)) :]}")
    board = board_of(build_firmware(build))
    assert "self-test FAIL: vector 1, output 2 is the first that differs" in greeting(board)
    assert Link(BoardStream(board)).self_test() == (3, 7)


def test_without_a_usb_host_the_uart_still_works(builds: dict[str, Path]) -> None:
    board = board_of(firmware_of(builds[IMAGE.name]), usb_host=False)
    board.peripherals.usb_host = False
    link = Link(BoardStream(board))
    assert link.echo(b"\0\1\2") == b"\0\1\2"
    assert board.receive(USB) == b""


STORE_TO_FLASH = "    *(volatile int32_t *)(uintptr_t)0x3C010000 = 1;\n"
WRONG_LOAD = "    (void)*(volatile int32_t *)(uintptr_t)0x50100000;\n"
ILLEGAL = '    __asm__ volatile(".word 0");\n'
RECURSION = """\
    volatile uint8_t big[400000];
    int i;
    for (i = 399999; i >= 0; i--)
        big[i] = in[0];
    if (big[in[1]] == 9)
        return 1;
"""
MISALIGNED = '    __asm__ volatile("lw t0, 1(%0)" :: "r"(0x3FC80000) : "t0");\n'


@pytest.mark.parametrize(
    ("code", "fault", "trap"),
    [
        (STORE_TO_FLASH, "store of 4 bytes to read-only flash at 0x3c010000", "TRAP 7 (store fault)"),
        (WRONG_LOAD, "load of 4 bytes from no memory at 0x50100000", "TRAP 5 (load fault)"),
        (ILLEGAL, "illegal instruction", "TRAP 2 (illegal instruction)"),
        (RECURSION, "stack overflow", "TRAP 7 (store fault)"),
    ],
    ids=["store to flash", "wrong load", "illegal instruction", "stack overflow"],
)
def test_faults_are_reported_and_trapped(
    code: str, fault: str, trap: str, builds: dict[str, Path], tmp_path: Path
) -> None:
    build = edited(builds[IMAGE.name], tmp_path / IMAGE.name, "    if (in[0] == 77) {\n" + code + "    }\n")
    board = board_of(build_firmware(build))
    engine = BoardEngine(build, load_graph(build / "model.qnn"), BoardStream(board))
    x = samples_of(IMAGE, 3, 1)
    x[:, 0, 0, 0] = (1, 77, 2)
    with pytest.raises(CrashError, match=r"TRAP \d"):
        engine.run(x)
    assert board.faults[0].startswith(fault)
    board.run()
    assert trap in board.receive(USB).decode()
    assert "_run" in board.faults[0] or fault.startswith("stack")


def test_a_host_that_comes_after_a_trap_is_told(builds: dict[str, Path], tmp_path: Path) -> None:
    build = edited(builds[IMAGE.name], tmp_path / IMAGE.name, "    if (in[0] == 77) {\n" + ILLEGAL + "    }\n")
    board = board_of(build_firmware(build), usb_host=False)
    board.run()
    board.send(UART, protocol.Frame(protocol.INFER, 1, 0, bytes((77,)) * 64).encoded())
    board.run()
    assert board.receive(UART).count(b"TRAP 2") == 1
    board.peripherals.usb_host = True
    for _ in range(60):  # each the twentieth of a second on the board
        board.run()
    assert board.receive(USB).count(b"TRAP 2 (illegal instruction)") in (2, 3)


@pytest.mark.parametrize("watch", [ALL, FIRST, 1000, NONE])
def test_misaligned_accesses_are_reported(watch: int, builds: dict[str, Path], tmp_path: Path) -> None:
    """1000 accesses are over before the model runs."""
    build = edited(builds[IMAGE.name], tmp_path / IMAGE.name, MISALIGNED)
    board = board_of(build_firmware(build), watch=watch)
    board.run()
    reported = [fault for fault in board.faults if fault.startswith("misaligned load of 4 bytes at 0x3fc80001")]
    assert bool(reported) == (watch > 1000)


def test_the_board_tells_that_its_stack_overflowed(builds: dict[str, Path], tmp_path: Path) -> None:
    """The chip itself has no guard below the stack: its lowest word is looked at."""
    spoil = "    extern uint32_t _stack_bottom[];\n    if (in[0] == 77) {\n        *_stack_bottom = 1;\n    }\n"
    build = edited(builds[IMAGE.name], tmp_path / IMAGE.name, spoil)
    for type_, body in ((protocol.INFER, b""), (protocol.LAYER, bytes(8))):
        board = board_of(build_firmware(build))
        board._guarded = True  # the word is in the page that the virtual board guards
        link = Link(BoardStream(board))
        assert link.self_test() == (3, 0)
        with pytest.raises(CrashError, match="the stack overflowed"):
            list(link.exchange([Request(type_, 0, body + bytes((77,)) * 64)]))
        with pytest.raises(CrashError, match="the stack overflowed"):
            link.self_test()
        assert link.echo(b"alive") == b"alive"
        assert link.hello().stack_used == link.hello().stack_bytes


HANG = "    if (in[0] == 77) {\n        for (;;) {\n            *(volatile uint8_t *)scratch = 0;\n        }\n    }\n"


def test_a_hang_is_told_and_much_work_is_none(
    builds: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short time slices, in which not all of the requests that wait can be answered."""
    board = board_of(build_firmware(edited(builds[IMAGE.name], tmp_path / IMAGE.name, HANG)), exact=True)
    board.run()
    monkeypatch.setattr("qnn.board.emulator.SLICE_SECONDS", 0.1)
    line = b"".join(protocol.Frame(protocol.INFER, 1 + i, 0, bytes(64)).encoded() for i in range(250))
    board.receive(UART)
    board.send(UART, line)
    board.run()
    assert len(list(protocol.Splitter().take(board.receive(UART)))) == 250
    board.send(UART, protocol.Frame(protocol.INFER, 1, 0, bytes((77,)) * 64).encoded())
    with pytest.raises(QnnError, match="virtual board: hangs in image_run"):
        board.run()


def test_exact_counts_are_those_of_the_bare_image(builds: dict[str, Path]) -> None:
    """The firmware's call and its check for a wanted layer come on top."""
    build, x = builds[BINARY.name], samples_of(BINARY, 5, 1)
    graph = load_graph(build / "model.qnn")
    bare = verify(build, x, ("rv32",), count=None).target("rv32").instructions
    engine = BoardEngine(build, graph, BoardStream(board_of(firmware_of(build), exact=True)))
    found = engine.measure(x)
    assert bare is not None
    assert found.cycles is not None
    extra = found.instructions.mean() - bare.mean
    assert 0 < extra < 8 * len(graph.nodes)
    assert (found.cycles > found.instructions).all()
    assert (found.cycles < 2 * found.instructions).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda image: b"", "does not start"),
        (lambda image: b"\0" + image[1:], "does not start"),
        (lambda image: image[:12] + b"\2" + image[13:], "chip with id 2"),
        (lambda image: image[:40], "cannot load"),
        (lambda image: image[:24] + b"\0\0\0\0" + image[28:], "cannot load"),
        (lambda image: image[:40] + bytes((image[40] ^ 1,)) + image[41:], "wrong checksum"),
        (lambda image: bytes(17 << 20), "more than any chip"),
    ],
)
def test_images_that_the_rom_would_not_start(change: object, problem: str, builds: dict[str, Path]) -> None:
    image = firmware_of(builds[IMAGE.name]).flash
    with pytest.raises(QnnError, match=problem):
        Board(change(image))  # type: ignore[operator]


def test_a_header_of_another_model_is_refused(builds: dict[str, Path], tmp_path: Path) -> None:
    build = tmp_path / "mixed"
    shutil.copytree(builds[IMAGE.name], build)
    header = build / "image.h"
    text = header.read_text()
    at = text.index("sha256 ") + 7
    header.write_text(text[:at] + "0" * 64 + text[at + 64 :])
    with pytest.raises(QnnError, match="was not compiled from the model"):
        build_firmware(build)


def test_what_does_not_fit_is_refused(builds: dict[str, Path], tmp_path: Path) -> None:
    name = IMAGE.name
    more = f"static const uint8_t {name}_big[3000000] = {{1}};\n"
    build = tmp_path / name
    shutil.copytree(builds[name], build)
    header = build / f"{name}.h"
    use = f"    if (in[0] == 78) {{\n        return {name}_big[in[1] * 9000];\n    }}\n"
    start = f"int {name}_run(const {name}_in_t *in, {name}_out_t *out, void *scratch)\n{{\n"
    text = header.read_text()
    at = text.rindex(start)
    line = text.rindex("\n", 0, at) + 1  # an attribute may stand before the function
    header.write_text(text[:line] + more + text[line:at] + start + use + text[at + len(start) :])
    assert build_firmware(build).model_bytes > 3_000_000
    with pytest.raises(QnnError, match="more than 2 MiB of flash"):
        build_firmware(build, flash_mb=2)


@pytest.fixture
def terminal(builds: dict[str, Path]) -> Iterator[str]:
    """The port of a virtual board."""
    yield from served(builds[IMAGE.name], None)


def served(build: Path, tcp: int | None) -> Iterator[str]:
    stop, faults = threading.Event(), list[str]()
    endpoint = open_endpoint(tcp)
    board = board_of(firmware_of(build))
    thread = threading.Thread(target=serve, args=(board, endpoint, stop, faults.append))
    thread.start()
    yield endpoint.port
    stop.set()
    thread.join()
    endpoint.close()
    assert faults == []


def test_verify_on_a_terminal(builds: dict[str, Path], terminal: str) -> None:
    x = samples_of(IMAGE, 150, 2)
    found = verify(builds[IMAGE.name], x, ("host", "board"), layers=True, count=4, board=BoardPort(terminal))
    board = found.target("board")
    assert found.ok
    assert "ESP32-C3, 160 MHz" in board.runner
    estimate = board.document()["cycles_estimate"]
    assert 1000 < estimate["ram"] <= estimate["flash"]


def test_verify_over_tcp_and_twice(builds: dict[str, Path]) -> None:
    for port in served(builds[IMAGE.name], 0):
        for seed in range(2):
            x = samples_of(IMAGE, 50, seed)
            assert verify(builds[IMAGE.name], x, ("board",), count=1, board=BoardPort(port)).ok


def test_verify_finds_the_differing_layer(builds: dict[str, Path], tmp_path: Path) -> None:
    wrong = edited(builds[IMAGE.name], tmp_path / IMAGE.name, "")
    header = wrong / "image.h"
    text = header.read_text()
    at = text.index("image_node1_bias") if "image_node1_bias" in text else text.index("image_node1")
    row = text.index("{\n", at) + 2
    end = text.index(",", row)
    header.write_text(text[:row] + str(int(text[row:end]) + 1000) + text[end:])
    for port in served(wrong, 0):
        found = verify(builds[IMAGE.name], samples_of(IMAGE, 20, 2), ("board",), board=BoardPort(port))
    assert not found.ok
    first = found.target("board").first
    assert first is not None
    assert first.layer == "dense2"


def test_monitor_and_json(terminal: str, qnn: Run) -> None:
    code, out, _ = qnn("monitor", "--port", terminal, "--seconds", "0.6", "--json")
    assert code == 0
    assert any("image" in line and "160.000 MHz" in line for line in json.loads(out)["lines"])


def test_firmware_command(builds: dict[str, Path], tmp_path: Path, qnn: Run) -> None:
    image = tmp_path / "flash.bin"
    code, out, _ = qnn("firmware", str(builds[READINGS.name]), "-o", str(image), "--json")
    document = json.loads(out)
    assert code == 0
    assert document["flash_bytes"] == image.stat().st_size
    assert document["firmware_bytes"] <= FIRMWARE_LIMIT
    assert parse_image(image.read_bytes())[0] == 0x40380000
    assert (tmp_path / "flash.elf").read_bytes()[:4] == b"\x7fELF"
    image.write_text("mine")
    code, _, err = qnn("firmware", str(builds[READINGS.name]), "-o", str(image))
    assert (code, image.read_text()) == (2, "mine")
    code, _, err = qnn("firmware", str(tmp_path))
    assert (code, err.count("\n")) == (2, 1)


def test_emulate_command_prints_its_port(builds: dict[str, Path]) -> None:
    command = (sys.executable, "-m", "qnn", "emulate", str(builds[IMAGE.name]), "--tcp", "0", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            port = json.loads("".join(iter(child.stdout.readline, "}\n")) + "}")["port"]
            stream = open_port(port)
            assert Link(stream).hello().name == IMAGE.name
            stream.close()
        finally:
            child.send_signal(signal.SIGINT)
            assert child.wait(20) == 0


CHIP_TEXT = "Chip type:          ESP32-C3 (QFN32) (revision v0.4)\nDetected flash size: 4MB\n"


def flashing(monkeypatch: pytest.MonkeyPatch, about: str, written: str = "Hash of data verified.") -> list[list[str]]:
    """Replaces esptool by one that says `about` and `written`; the calls that it got."""
    calls: list[list[str]] = []

    def run(arguments: tuple[str, ...], folder: Path, subject: object, timeout: float = 0) -> str:
        calls.append(list(arguments))
        return written if "write-flash" in arguments else about

    monkeypatch.setattr(flasher, "esptool", run)
    return calls


def test_flash_checks_then_writes(
    builds: dict[str, Path], tmp_path: Path, qnn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "flash.bin"
    write_whole(image, firmware_of(builds[IMAGE.name]).flash)
    calls = flashing(monkeypatch, CHIP_TEXT)
    code, out, _ = qnn("flash", str(image), "--port", "PORT", "--json")
    assert code == 0
    assert json.loads(out)["flash_mb"] == 4
    assert [call[-3:] for call in calls] == [
        ["--after", "no-reset", "flash-id"],
        ["write-flash", "0x0", "flash.bin"],
    ]


@pytest.mark.parametrize(
    ("about", "written", "problem"),
    [
        ("Chip type: ESP32-S3\nDetected flash size: 4MB", "", "is no ESP32-C3"),
        ("Chip type: ESP32-C3\n", "", "the flash is of unknown size"),
        (CHIP_TEXT, "Wrote 1 byte", "could not be read back; hold BOOT"),
    ],
)
def test_flash_refuses(
    about: str, written: str, problem: str, builds: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = flashing(monkeypatch, about, written)
    with pytest.raises(QnnError, match=problem):
        flasher.flash_board(firmware_of(builds[IMAGE.name]).flash, "PORT", say=lambda _: None)
    assert len(calls) == (2 if written else 1)


def test_flash_looks_at_the_image_first(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = flashing(monkeypatch, CHIP_TEXT)
    with pytest.raises(QnnError, match="does not start with an ESP image"):
        flasher.flash_board(bytes(100), "PORT", say=lambda _: None)
    assert calls == []


def test_a_port_that_is_not_there(tmp_path: Path, builds: dict[str, Path], qnn: Run) -> None:
    build = str(builds[IMAGE.name])
    for port in (str(tmp_path / "nothing"), "socket://127.0.0.1:1", "socket://x", "socket://127.0.0.1:99999"):
        code, _, err = qnn("verify", build, "--data", "random:2", "--on", "board", "--port", port)
        assert (code, err.count("\n")) == (2, 1)
        assert port.split("/")[-1] in err


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ((), "no serial port with a board was found"),
        ((Port("A", "x", False),), "A"),
        ((Port("A", "x", True), Port("B", "y", False)), "A"),
        ((Port("A", "x", True), Port("B", "y", True)), r"there are several ports: A .x., B"),
    ],
)
def test_the_port_is_found(found: tuple[Port, ...], answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "find_ports", lambda: found)
    assert choose_port("given") == "given"
    if len(answer) == 1:
        assert choose_port(None) == answer
    else:
        with pytest.raises(QnnError, match=answer):
            choose_port(None)


def test_a_reset_while_verifying_is_survived(builds: dict[str, Path]) -> None:
    build = builds[IMAGE.name]
    graph, x = load_graph(build / "model.qnn"), samples_of(IMAGE, 60, 9)
    board = board_of(firmware_of(build))

    class Resetting(BoardStream):
        reads = 0

        def read(self, seconds: float) -> bytes:
            self.reads += 1
            if self.reads % 25 == 0:
                self.board.reset()
            return super().read(seconds)

    engine = BoardEngine(build, graph, Resetting(board))
    np.testing.assert_array_equal(engine.run(x)[graph.output], simulate(graph, x)[graph.output])
    assert engine.link.repeated >= 2


@pytest.mark.parametrize(
    ("net", "images"),
    [("dense 64 relu, dense 10", 10_000), ("conv 3x3 4 relu, maxpool 2, conv 3x3 8 relu, maxpool 2, dense 10", 1000)],
    ids=["784-64-10, all images", "a small CNN, every tenth"],
)
def test_mnist_through_the_serial_protocol(net: str, images: int, data_dir: Path, tmp_path: Path) -> None:
    """Untrained networks: the line and the chip's code matter here, not their accuracy."""
    from qnn.data import LoadOptions, load

    example = Example("digit", net, (28, 28, 1), "uint8", 10)
    build = built(example, tmp_path)
    data = load("mnist", LoadOptions(data_dir=data_dir))
    x, graph = data.x[data.test][:: 10_000 // images], load_graph(build / "model.qnn")
    engine = BoardEngine(build, graph, BoardStream(board_of(firmware_of(build))))
    found = engine._infer(
        x, engine.interface.input, protocol.CLASS, (engine.interface.output, *engine.interface.heads[:1])
    )
    expected = simulate(graph, x)
    assert len(x) == images
    for name, values in found.items():
        assert int((values != expected[name]).sum()) == 0


def test_every_source_states_its_licence() -> None:
    sources = [path for path in firmware_folder().iterdir() if path.is_file()]
    assert len(sources) >= 12
    for path in sources:
        assert path.read_text().startswith("/* SPDX-License-Identifier: MIT"), path
