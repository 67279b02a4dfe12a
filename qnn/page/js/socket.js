// SPDX-License-Identifier: MIT
/** A board behind `qnn serve`: the messages of PROTOCOL.md, clause 6, over a WebSocket. */
import { REPLY, STATUS, message, parseMessage } from "./protocol.js";

const NO_BOARD = 64;
const AGAIN = 1000; // milliseconds until a lost connection is tried again

/** A line to the bridge at `address`; it connects again by itself.
 *
 * told(state): what the bridge says of itself and of the board. */
export class SocketLine {
    constructor(address, told) {
        this.address = address;
        this.told = told;
        this.sequence = 0;
        this.waiting = new Map();
        this.connect();
    }

    /** The body of the reply to a request; rejects if the board refuses it, or is not there. */
    ask(type, flags, body) {
        if (this.socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error("qnn serve is gone"));
        this.sequence = (this.sequence % 255) + 1;
        const { sequence } = this;
        this.socket.send(message(type, sequence, flags, body));
        return new Promise((resolve, reject) => this.waiting.set(sequence, { type: type | REPLY, resolve, reject }));
    }

    /** Tell the bridge something that is not for the board. */
    command(text) {
        if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
    }

    connect() {
        this.socket = new WebSocket(this.address);
        this.socket.binaryType = "arraybuffer";
        this.socket.addEventListener("message", (event) => this.received(event.data));
        this.socket.addEventListener("close", (event) => this.closed(event));
    }

    received(data) {
        if (typeof data === "string") {
            this.told(JSON.parse(data));
            return;
        }
        const reply = parseMessage(new Uint8Array(data));
        const waiting = reply && this.waiting.get(reply.sequence);
        if (!waiting || waiting.type !== reply.type) return;
        this.waiting.delete(reply.sequence);
        if (!reply.mark) waiting.resolve(reply.body);
        else waiting.reject(new Error(reply.mark === NO_BOARD ? "no board answers" : STATUS[reply.mark]));
    }

    closed(event) {
        for (const { reject } of this.waiting.values()) reject(new Error("qnn serve is gone"));
        this.waiting.clear();
        const reason = event.reason ? `qnn serve closed the connection: ${event.reason}` : "qnn serve is gone";
        this.told({ state: "closed", text: `${reason}; trying again` });
        setTimeout(() => this.connect(), AGAIN);
    }
}
