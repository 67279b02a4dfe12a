// SPDX-License-Identifier: MIT
/** Writing the firmware to a board from the page, with esptool-js, after showing what will be written. */
import { fromBase64, gunzip } from "./bytes.js";
import { find, grouped, make, say, show } from "./dom.js";
import { choosePort } from "./serial.js";

const FLASH_BAUD = 115200; // the chip's own USB port knows no baud rate, and 25 kB take two seconds on a UART
const RESET = 100; // milliseconds
const CHIP = "ESP32-C3";

/** The panel. board: the BoardPanel, which gives the port up and takes it over afterwards. */
export class FlashPanel {
    constructor(flash, board) {
        this.flash = flash;
        this.board = board;
        show("flash", Boolean(flash && navigator.serial));
        if (!flash) return;
        const rows = flash.parts.map(({ address, bytes, what, md5 }) =>
            make("tr", {}, ...[`0x${address.toString(16)}`, grouped(bytes), what, md5].map((text) => make("td", {}, text))),
        );
        find("flash-rows").replaceChildren(...rows);
        find("flash-write").addEventListener("click", () => this.run());
        find("flash-licence").addEventListener("toggle", () => this.showLicence());
    }

    /** What is packed in the page: esptool-js, then the parts of the flash. */
    async unpack() {
        if (this.packed) return;
        const bytes = await gunzip(fromBase64(find("flash-data").textContent));
        let at = 0;
        const take = (count) => bytes.subarray(at, (at += count));
        this.packed = {
            script: new TextDecoder().decode(take(this.flash.script)),
            licence: new TextDecoder().decode(take(this.flash.licence)),
            parts: this.flash.parts.map((part) => take(part.bytes)),
        };
    }

    async showLicence() {
        await this.unpack();
        find("flash-licence-text").textContent = this.packed.licence;
    }

    /** esptool-js, which becomes a script of the page; the page's policy knows its hash. */
    async tool() {
        await this.unpack();
        if (!globalThis.qnnFlasher) document.head.append(make("script", { text: this.packed.script }));
        return globalThis.qnnFlasher;
    }

    async run() {
        const button = find("flash-write");
        button.disabled = true;
        try {
            const port = this.board.port ?? (await choosePort());
            await this.board.detach();
            await this.write(port);
            say("flash-state", "written, and the flash's hash read back; the board starts");
            await this.board.attach(port);
        } catch (error) {
            if (error.name !== "NotFoundError") this.failed(error);
        } finally {
            button.disabled = false;
        }
    }

    failed(error) {
        const advice = "hold BOOT, press RESET, let BOOT go, and try again";
        say("flash-state", `not written: ${error.message}; ${advice}`);
    }

    async write(port) {
        const { ESPLoader, Transport } = await this.tool();
        const terminal = { clean() {}, writeLine: (text) => this.log(text), write: (text) => this.log(text) };
        const transport = new Transport(port, false);
        const loader = new ESPLoader({ transport, baudrate: FLASH_BAUD, terminal });
        try {
            say("flash-state", `looking for an ${CHIP} …`);
            const found = await loader.main();
            if (loader.chip.CHIP_NAME !== CHIP) throw new Error(`this is no ${CHIP} but ${found}`);
            await this.fits(loader);
            const hashes = this.flash.parts.map((part) => part.md5);
            await loader.writeFlash({
                fileArray: this.packed.parts.map((data, index) => ({ data, address: this.flash.parts[index].address })),
                flashSize: "keep",
                flashMode: "keep",
                flashFreq: "keep",
                eraseAll: false,
                compress: false,
                calculateMD5Hash: () => hashes.shift(),
                reportProgress: (part, written, total) => this.progress(part, written, total),
            });
            await restart(transport);
        } finally {
            await transport.disconnect().catch(() => {});
        }
    }

    async fits(loader) {
        const size = await loader.detectFlashSize();
        const last = this.flash.parts.at(-1);
        const needed = last.address + last.bytes;
        if (!size || loader.flashSizeBytes(size) < needed) {
            throw new Error(`the flash is ${size ? `of ${size}` : "of unknown size"}, the image has ${needed} bytes`);
        }
    }

    progress(part, written, total) {
        const before = this.flash.parts.slice(0, part).reduce((sum, { bytes }) => sum + bytes, 0);
        const all = this.flash.parts.reduce((sum, { bytes }) => sum + bytes, 0);
        const share = (before + (written / total) * this.flash.parts[part].bytes) / all;
        find("flash-progress").value = share;
        say("flash-state", `writing, ${Math.round(100 * share)} %`);
    }

    log(text) {
        const log = find("flash-log");
        log.textContent = `${log.textContent}${text.trim()}\n`.slice(-4000);
    }
}

/** Pull the chip's reset line, which boards wire to RTS, with the boot pin (DTR) released. */
async function restart(transport) {
    await transport.setDTR(false);
    await transport.setRTS(true);
    await new Promise((resolve) => setTimeout(resolve, RESET));
    await transport.setRTS(false);
}
