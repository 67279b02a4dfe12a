// SPDX-License-Identifier: MIT
/** Bytes: base64, gzip, numbers of C's types, CRC-32. WebAssembly, the chip and every browser are little-endian. */

const TYPES = { uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array };
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
});

/** The bytes that base64 `text` stands for. */
export function fromBase64(text) {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** What gzip made `bytes` of. */
export async function gunzip(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The numbers of type `dtype` ("int16" and the like) in `bytes`, as an array of their own. */
export function numbersOf(dtype, bytes) {
    return new TYPES[dtype](bytes.slice().buffer);
}

/** The bytes of `values` as numbers of type `dtype`. */
export function bytesOf(dtype, values) {
    return new Uint8Array(TYPES[dtype].from(values).buffer);
}

/** The CRC-32 of `bytes`, as in zip. */
export function crc32(bytes) {
    let value = 0xffffffff;
    for (const byte of bytes) value = (value >>> 8) ^ CRC_TABLE[(value ^ byte) & 0xff];
    return (value ^ 0xffffffff) >>> 0;
}

/** `bytes` as hexadecimal digits. */
export function hex(bytes) {
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
