# SPDX-License-Identifier: MIT
"""The virtual board's registers: two serial lines, the system timer, the flash MMU; others keep what is written.

Time passes when the firmware looks at it: each reading of the system timer takes CYCLES_PER_READING, so that a run is
the same every time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

UART, USB = 0, 1
UART0, UART_STATUS = 0x00000, 0x0001C
USB_DATA, USB_STATUS = 0x43000, 0x43004
SYSTIMER, SYSTIMER_LOW = 0x23004, 0x23044
FLASH_MMU, MMU_PAGES, INVALID_PAGE = 0xC5000, 128, 0x100
FIFO_BYTES = 127  # of the UART's 128, as its status can say
USB_WRITABLE, USB_READABLE = 2, 4
TIMER_VALID = 1 << 29
CYCLES_PER_READING = 1600
CYCLES_PER_TICK = 10
IDLE_POLLS = 3  # of both lines in turn, with nothing else in between: the firmware waits for input
IDLE_READINGS = 5000  # of the timer, with nothing else in between: it waits for time to pass


class Peripherals:
    """The registers from 0x60000000 on.

    stop: called when the firmware has nothing to do. usb_host: whether somebody listens on the USB line.
    """

    def __init__(self, stop: Callable[[], None], usb_host: bool = True) -> None:
        self.received: tuple[deque[int], deque[int]] = (deque(), deque())
        self.sent = (bytearray(), bytearray())
        self.cycles = 0  # since the start, at 160 MHz
        self.pages = [INVALID_PAGE] * MMU_PAGES
        self.usb_host = usb_host
        self._stop_core = stop
        self.idle = False
        self._polls = self._readings = 0
        self._looked = False
        self._kept: dict[int, int] = {}

    def read(self, offset: int) -> int:
        """The register at 0x60000000 + offset."""
        if offset == UART0:
            return self.received[UART].popleft() if self.received[UART] else 0
        if offset == UART_STATUS:
            self._looked = True
            return min(len(self.received[UART]), FIFO_BYTES)
        if offset == USB_STATUS:
            return self._usb_status()
        if offset == USB_DATA:
            self._polls = 0
            return self.received[USB].popleft() if self.received[USB] else 0
        if offset == SYSTIMER_LOW:
            return self.cycles // CYCLES_PER_TICK & 0xFFFFFFFF
        if offset == SYSTIMER:
            return TIMER_VALID
        if FLASH_MMU <= offset < FLASH_MMU + 4 * MMU_PAGES:
            return self.pages[(offset - FLASH_MMU) // 4]
        return self._kept.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Store to the register at 0x60000000 + offset."""
        if offset == UART0:
            self._polls = self._readings = 0
            self.sent[UART].append(value & 0xFF)
        elif offset == USB_DATA:
            self._polls = self._readings = 0
            if self.usb_host:
                self.sent[USB].append(value & 0xFF)
        elif offset == SYSTIMER:
            self.cycles += CYCLES_PER_READING
            self._readings += 1
            if self._readings % IDLE_READINGS == 0:
                self._stop()
        elif FLASH_MMU <= offset < FLASH_MMU + 4 * MMU_PAGES:
            self.pages[(offset - FLASH_MMU) // 4] = value
        else:
            self._kept[offset] = value

    def _stop(self) -> None:
        self.idle = True
        self._stop_core()

    def _usb_status(self) -> int:
        if self._looked and not self.received[UART] and not self.received[USB]:
            self._polls += 1
            if self._polls >= IDLE_POLLS:
                self._stop()
        self._looked = False
        readable = USB_READABLE if self.received[USB] else 0
        return readable | (USB_WRITABLE if self.usb_host else 0)
