// SPDX-License-Identifier: MIT
/** A board on a serial port of this computer, by Web Serial (Chrome, Edge). */
import { COMPLAINT, REPLY, Splitter, STATUS, frame, message } from "./protocol.js";

const BAUD = 115200;
const PATIENCE = 1500; // milliseconds until a request is sent again; twice that if the board turns out to be slower
const MOST_PATIENCE = 60000;
const TRIES = 6;
// Espressif's own USB port, and the USB bridges that boards have: Silicon Labs, WCH, FTDI.
const VENDORS = [0x303a, 0x10c4, 0x1a86, 0x0403];

/** Let the user choose a port. Rejects if they choose none. */
export function choosePort() {
    return navigator.serial.requestPort({ filters: VENDORS.map((usbVendorId) => ({ usbVendorId })) });
}

/** A line to a board. One request at a time; each may be sent again, as no request changes what a later one gives.
 *
 * told(text): what the board says beside frames. lost(reason): the port is gone. */
export class SerialLine {
    constructor(port, told, lost) {
        this.port = port;
        this.told = told;
        this.lost = lost;
        this.splitter = new Splitter();
        this.sequence = 0;
        this.patience = PATIENCE;
        this.waiting = null;
        this.turn = Promise.resolve();
        this.open = false;
    }

    /** Open the port and listen. */
    async start() {
        await this.port.open({ baudRate: BAUD, bufferSize: 1 << 14 });
        this.open = true;
        this.listening = this.listen();
    }

    /** The body of the reply to a request; rejects if the board refuses it or does not answer. */
    ask(type, flags, body) {
        const answer = this.turn.then(() => this.exchange(type, flags, body));
        this.turn = answer.catch(() => {});
        return answer;
    }

    /** Leave the port to others. */
    async close() {
        if (!this.open) return;
        this.open = false;
        await this.reader?.cancel().catch(() => {});
        await this.listening;
        await this.port.close().catch(() => {});
    }

    async exchange(type, flags, body) {
        this.sequence = (this.sequence % 255) + 1;
        const bytes = frame(message(type, this.sequence, flags, body));
        for (let attempt = 0; attempt < TRIES && this.open; attempt++) {
            const answer = this.next(type | REPLY, this.sequence);
            await this.write(bytes);
            const reply = await answer;
            if (reply) {
                if (attempt) this.patience = Math.min(2 * this.patience, MOST_PATIENCE);
                if (reply.mark) throw new Error(STATUS[reply.mark] ?? `status ${reply.mark}`);
                return reply.body;
            }
        }
        throw new Error(this.open ? `no answer, asked ${TRIES} times` : "the port was closed");
    }

    /** The next reply of that kind; null if it does not come, or the board complains. */
    next(type, sequence) {
        return new Promise((resolve) => {
            const timer = setTimeout(() => this.waiting.settle(null), this.patience);
            const settle = (reply) => {
                clearTimeout(timer);
                resolve(reply);
            };
            this.waiting = { type, sequence, settle };
        });
    }

    async write(bytes) {
        if (!this.port.writable) return;
        const writer = this.port.writable.getWriter();
        try {
            await writer.write(bytes);
        } catch {
            // What is lost with a port is asked for again, or the reader tells that the port is gone.
        } finally {
            writer.releaseLock();
        }
    }

    /** Read until the port is closed or gone; errors of the line (a wrong bit, no room) do not end it. */
    async listen() {
        while (this.open && this.port.readable) {
            this.reader = this.port.readable.getReader();
            try {
                for (;;) {
                    const { value, done } = await this.reader.read();
                    if (done) break;
                    for (const item of this.splitter.take(value)) this.received(item);
                }
                if (this.open) break;
            } catch {
                this.splitter = new Splitter();
            } finally {
                this.reader.releaseLock();
            }
        }
        if (!this.open) return;
        this.open = false;
        this.waiting?.settle(null);
        await this.port.close().catch(() => {});
        this.lost("the port is gone");
    }

    received(item) {
        const { waiting } = this;
        if (typeof item === "string") {
            this.told(item);
            if (/qnn \w+ on ESP32-C3/.test(item)) waiting?.settle(null); // started anew: it knows of no request
        } else if (item.type === COMPLAINT) {
            waiting?.settle(null);
        } else if (waiting && item.type === waiting.type && item.sequence === waiting.sequence) {
            waiting.settle(item);
        }
    }
}
