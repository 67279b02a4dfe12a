// SPDX-License-Identifier: MIT
// In place of pako: the page writes without compression, and esptool-js then only makes an Inflate, which it never feeds.
export class Inflate {}

export function deflate() {
    throw new Error("compression is not in this build");
}
