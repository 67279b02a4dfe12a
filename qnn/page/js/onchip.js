// SPDX-License-Identifier: MIT
/** The small page that an ESP32 serves by itself: draws, sends the image's bytes to the chip, shows its answer. */
import { decimal, find, make, oncePerFrame, say } from "./dom.js";
import { Drawing } from "./drawing.js";
import { prepare } from "./prepare.js";
import { paint } from "./samples.js";
import { inkColour, setUpTheme } from "./theme.js";

const ONE = 32768; // of a Q15 probability

/** Drawing area, preview and table; one request to the chip at a time, of the newest image. */
class ChipPage {
    constructor(about) {
        this.about = about;
        this.busy = false;
        this.rows = about.names.map((name) => row(name, about.shares));
        find("answer-rows").replaceChildren(...this.rows.map((cells) => cells.line));
        this.drawing = new Drawing(about.shape, () => this.soon());
        this.soon = oncePerFrame(() => this.draw());
        find("undo").addEventListener("click", () => this.drawing.undo());
        find("clear").addEventListener("click", () => this.drawing.clear());
        find("brush").addEventListener("input", () => say("brush-size", find("brush").value));
        setUpTheme(() => this.drawing.redraw());
        this.draw();
    }

    draw() {
        const { shape, preparation, maximum } = this.about;
        const [height, width, channels] = shape;
        const { canvas } = this.drawing;
        const planes = this.drawing.ink().map((ink) => prepare(ink, canvas.width, canvas.height, shape, preparation, maximum));
        this.image = Uint8Array.from({ length: height * width * channels }, (_, at) => {
            return planes[at % channels][Math.floor(at / channels)];
        });
        Object.assign(find("preview"), { width, height });
        paint(find("preview"), this.image, channels, maximum, inkColour());
        this.pending = true;
        this.ask();
    }

    async ask() {
        if (this.busy) return;
        this.busy = true;
        while (this.pending) {
            this.pending = false;
            const form = new FormData();
            form.append("input", new Blob([this.image]));
            try {
                const reply = await fetch("infer", { method: "POST", body: form });
                const text = await reply.text();
                if (!reply.ok) throw new Error(text);
                this.show(text.trim().split(/\s+/).map(Number));
            } catch (error) {
                say("chip-state", `the chip does not answer: ${error.message}`);
            }
        }
        this.busy = false;
    }

    /** Microseconds, the class (-1: there is none), then a probability, a value or an output for each row. */
    show([microseconds, winner, ...numbers]) {
        const { shares, decimals, names } = this.about;
        this.rows.forEach((cells, index) => {
            const share = shares ? (100 * numbers[index]) / ONE : null;
            cells.line.classList.toggle("winner", index === winner);
            cells.number.textContent = decimals ? decimal(numbers[index], decimals[index]) : (numbers[index] ?? "");
            if (shares) cells.bar.style.width = `${share}%`;
        });
        const values = this.rows.map((cells, index) => `${names[index]} ${cells.number.textContent}`);
        say("answer", winner >= 0 ? names[winner] : values.join(", "));
        say("chip-state", `computed on the chip in ${(microseconds / 1000).toFixed(2)} ms`);
        document.documentElement.dataset.ready = "yes";
    }
}

function row(name, shares) {
    const bar = make("div", { className: "bar" });
    const number = make("td", { className: "number" });
    const track = shares ? [make("td", { className: "track" }, bar)] : [];
    return { line: make("tr", {}, make("th", { scope: "row" }, name), ...track, number), bar, number };
}

const about = JSON.parse(find("model-document").textContent);
globalThis.chip = new ChipPage(about);
