# SPDX-License-Identifier: MIT
"""A serial port for Web Serial in tests: what the page sees as navigator.serial leads to a wire in Python."""

from __future__ import annotations

import base64
import os
import select
from collections.abc import Callable
from typing import Any, Protocol

from fakechip import FakeChip

from qnn.board.emulator import Board
from qnn.board.peripherals import USB

SCRIPT = """
(() => {
    const decode = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const encode = bytes => btoa(String.fromCharCode(...bytes));
    class Port extends EventTarget {
        getInfo() { return {usbVendorId: 0x303a, usbProductId: 0x1001}; }
        async open() {
            if (this.readable) throw new DOMException('The port is already open.', 'InvalidStateError');
            if (globalThis.unplugged) throw new DOMException('Failed to open serial port.', 'NetworkError');
            const running = this.running = {on: true};
            this.readable = new ReadableStream({
                pull: async controller => {
                    for (;;) {
                        if (!running.on) return;
                        if (globalThis.unplugged) {
                            this.readable = this.writable = null;
                            running.on = false;
                            controller.error(new DOMException('The device has been lost.', 'NetworkError'));
                            return;
                        }
                        const data = decode(await globalThis.wireRead());
                        if (data.length) return controller.enqueue(data);
                        await new Promise(done => setTimeout(done, 4));
                    }
                },
                cancel: () => { running.on = false; },
            });
            this.writable = new WritableStream({ write: data => globalThis.wireWrite(encode(data)) });
        }
        async close() {
            if (this.readable?.locked || this.writable?.locked) throw new TypeError('Cannot close a locked port.');
            this.running.on = false;
            this.readable = this.writable = null;
        }
        async setSignals(signals) { await globalThis.wireSignals(signals); }
    }
    const port = new Port();
    const serial = {
        requestPort: async options => { globalThis.filters = options.filters; return port; },
        getPorts: async () => globalThis.unplugged ? [] : [port],
        addEventListener() {},
    };
    Object.defineProperty(navigator, 'serial', {value: serial});
})();
"""


class Wire(Protocol):
    """The other end of the port."""

    def read(self) -> bytes:
        """What has come, perhaps nothing."""

    def write(self, data: bytes) -> None:
        """Take what the page sends."""

    def signals(self, wanted: dict[str, bool]) -> None:
        """Set DTR and RTS."""


class BoardWire:
    """A virtual board. spoil: changes what the page sends."""

    def __init__(self, board: Board, spoil: Callable[[bytes], bytes] = lambda data: data) -> None:
        self.board, self.spoil = board, spoil
        board.run()

    def read(self) -> bytes:
        return self.board.receive(USB)

    def write(self, data: bytes) -> None:
        self.board.send(USB, self.spoil(data))
        self.board.run()

    def signals(self, wanted: dict[str, bool]) -> None:
        pass


class ChipWire:
    """A chip whose boot loader answers until its flash is written; a reset then starts what is in it."""

    def __init__(self, chip: FakeChip) -> None:
        self.chip = chip
        self.board: BoardWire | None = None
        self._line = os.open(chip.port, os.O_RDWR | os.O_NOCTTY)
        self._reset = False

    def read(self) -> bytes:
        if self.board:
            return self.board.read()
        return os.read(self._line, 4096) if select.select([self._line], [], [], 0)[0] else b""

    def write(self, data: bytes) -> None:
        if self.board:
            self.board.write(data)
            return
        while data:
            data = data[os.write(self._line, data) :]

    def signals(self, wanted: dict[str, bool]) -> None:
        reset = wanted.get("requestToSend", self._reset)
        if self._reset and not reset and self.chip.flash[0] == 0xE9:
            self.board = BoardWire(Board(bytes(self.chip.flash)))
        self._reset = reset

    def close(self) -> None:
        os.close(self._line)


def plug(wire: Wire) -> Callable[[Any], None]:
    """What gives a page a navigator.serial whose only port leads to `wire`, before it loads."""

    def prepare(page: Any) -> None:
        page.expose_function("wireRead", lambda: base64.b64encode(wire.read()).decode())
        page.expose_function("wireWrite", lambda text: wire.write(base64.b64decode(text)))
        page.expose_function("wireSignals", wire.signals)
        page.add_init_script(SCRIPT)

    return prepare
