// SPDX-License-Identifier: MIT
/** The bytes of PROTOCOL.md: frames, requests, and what a board says about itself. */
import { crc32, hex, numbersOf } from "./bytes.js";

export const VERSION = 1;
export const HELLO = 1;
export const INFER = 2;
export const LAYER = 3;
export const COMPLAINT = 0xff;
export const REPLY = 0x80;
export const HEAD_FLAGS = { class: 2, probabilities: 4, value: 8 };
export const STATUS = [
    "done",
    "the frame was damaged",
    "the protocol's version is another one",
    "the request is unknown",
    "the request has the wrong size",
    "the request asks for what the model has not",
    "a function of the model failed",
    "the stack overflowed",
];
const CHUNK_BYTES = 1024;
const TEXT_LIMIT = 1 << 16;
const [HEADER_BYTES, CRC_BYTES, HELLO_WORDS, HASH_BYTES] = [4, 4, 18, 32];

/** A message: its type, sequence number, flags or status, and body. */
export function message(type, sequence, mark, body) {
    const bytes = new Uint8Array(HEADER_BYTES + body.length);
    bytes.set([VERSION, type, sequence, mark]);
    bytes.set(body, HEADER_BYTES);
    return bytes;
}

/** What is in the bytes of a message; null if they are none. */
export function parseMessage(bytes) {
    if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return null;
    return { type: bytes[1], sequence: bytes[2], mark: bytes[3], body: bytes.slice(HEADER_BYTES) };
}

/** A message as it goes over a serial line: with its CRC, encoded, between zero bytes. */
export function frame(content) {
    const whole = new Uint8Array(content.length + CRC_BYTES);
    whole.set(content);
    new DataView(whole.buffer).setUint32(content.length, crc32(content), true);
    return Uint8Array.from([0, ...cobsEncode(whole), 0]);
}

/** `data` without zero bytes: runs of up to 254 other bytes, each after its length plus one. */
export function cobsEncode(data) {
    const out = [];
    let run = [];
    const flush = () => {
        out.push(run.length + 1, ...run);
        run = [];
    };
    for (const byte of data) {
        if (byte) run.push(byte);
        if (!byte || run.length === 254) flush();
    }
    if (run.length || !data.length || data.at(-1) === 0) flush();
    return out;
}

/** What `cobsEncode` made `data` of; null if it cannot have. */
export function cobsDecode(data) {
    const out = [];
    let at = 0;
    while (at < data.length) {
        const code = data[at];
        if (!code || at + code > data.length) return null;
        out.push(...data.subarray(at + 1, at + code));
        at += code;
        if (code !== 255 && at < data.length) out.push(0);
    }
    return Uint8Array.from(out);
}

/** Cuts what comes from a line into messages and texts, whatever the portions in which it comes. */
export class Splitter {
    constructor() {
        this.pending = [];
    }

    /** The messages ({type, ...}) and texts (strings) that `data` completes. */
    take(data) {
        const items = [];
        for (const byte of data) {
            if (byte) {
                if (this.pending.length < TEXT_LIMIT) this.pending.push(byte);
            } else if (this.pending.length) {
                items.push(unframe(Uint8Array.from(this.pending)));
                this.pending = [];
            }
        }
        return items;
    }
}

function unframe(chunk) {
    const whole = cobsDecode(chunk);
    if (whole && whole.length >= HEADER_BYTES + CRC_BYTES) {
        const content = whole.subarray(0, whole.length - CRC_BYTES);
        const sum = new DataView(whole.buffer).getUint32(content.length, true);
        const found = sum === crc32(content) ? parseMessage(content) : null;
        if (found) return found;
    }
    return new TextDecoder("ascii").decode(chunk);
}

/** What the reply to HELLO says; null if it is too short to be one. */
export function parseHello(body) {
    if (body.length < 4 * HELLO_WORDS + HASH_BYTES) return null;
    const words = numbersOf("uint32", body.subarray(0, 4 * HELLO_WORDS));
    const end = 4 * HELLO_WORDS + HASH_BYTES;
    return {
        chip: words[0] === 0xc3 ? "ESP32-C3" : `chip ${words[0]}`,
        clock: words[2],
        inputBytes: words[3],
        vectors: words[15],
        selfTest: words[16],
        hash: hex(body.subarray(4 * HELLO_WORDS, end)),
        name: new TextDecoder("ascii").decode(body.subarray(end)),
    };
}

/** What the reply to INFER holds, by the tensors that were asked for; null if its size is another. */
export function parseInference(body, output, heads) {
    const tensors = [output, ...heads];
    if (body.length !== 8 + tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)) return null;
    const [cycles] = numbersOf("uint32", body.subarray(0, 4));
    const found = { cycles };
    let at = 8;
    for (const tensor of tensors) {
        const name = tensor === output ? "outputs" : tensor.name;
        found[name] = numbersOf(tensor.dtype, body.subarray(at, at + tensor.bytes));
        at += tensor.bytes;
    }
    return found;
}

/** Layer `index` of the raw input `input` as the board has it; ask(type, flags, body) asks the board. */
export async function fetchLayer(ask, node, index, input) {
    const bytes = new Uint8Array(node.bytes);
    for (let offset = 0; offset < node.bytes; offset += CHUNK_BYTES) {
        const body = new Uint8Array(8 + input.length);
        new DataView(body.buffer).setUint32(0, index, true);
        new DataView(body.buffer).setUint32(4, offset, true);
        body.set(input, 8);
        const reply = await ask(LAYER, 0, body);
        bytes.set(reply.subarray(8, 8 + Math.min(CHUNK_BYTES, node.bytes - offset)), offset);
    }
    return numbersOf(node.dtype, bytes);
}
