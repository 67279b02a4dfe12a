// SPDX-License-Identifier: MIT
/** The page: reads its document, checks the golden vectors, and lets what is drawn or set run through the network. */
import { Answer, sentence } from "./answer.js";
import { BoardPanel } from "./board.js";
import { fromBase64, gunzip, numbersOf } from "./bytes.js";
import { Curve } from "./curve.js";
import { find, oncePerFrame, say, show } from "./dom.js";
import { Drawing } from "./drawing.js";
import { FlashPanel } from "./flash.js";
import { checkGolden } from "./golden.js";
import { Layers } from "./layers.js";
import { Model } from "./model.js";
import { prepare } from "./prepare.js";
import { Samples, paint, pictureOf } from "./samples.js";
import { Sliders } from "./sliders.js";
import { inkColour, setUpTheme } from "./theme.js";

/** The parts of the page, and the input that they show. */
class Playground {
    constructor(about, model, samples) {
        this.about = about;
        this.model = model;
        this.answer = new Answer(about);
        this.layers = new Layers(about);
        this.samples = new Samples(about, samples, about.drawable, (bytes) => this.choose(bytes));
        this.board = new BoardPanel(about);
        this.flash = new FlashPanel(about.flash, this.board);
        show("drawing-input", about.drawable);
        show("slider-input", !about.drawable);
        show("curve-panel", !about.drawable);
        this.soon = oncePerFrame(() => this.draw());
        if (about.drawable) this.setUpDrawing();
        else this.setUpSliders();
        setUpTheme(() => this.repaint());
    }

    /** Run the raw input `bytes` and show all of it; settled: say the answer aloud. */
    run(bytes, settled = true) {
        const result = this.model.infer(bytes);
        this.result = result;
        this.answer.show(result);
        this.layers.show(result);
        this.board.offer(result);
        if (this.about.drawable) this.preview(bytes);
        if (settled) say("spoken", sentence(this.about, result));
        return result;
    }

    setUpDrawing() {
        this.drawing = new Drawing(this.about.input.shape, (settled) => {
            this.settled = settled;
            this.soon();
        });
        find("undo").addEventListener("click", () => this.drawing.undo());
        find("clear").addEventListener("click", () => this.drawing.clear());
        find("brush").addEventListener("input", () => say("brush-size", find("brush").value));
        find("colour-field").hidden = !this.drawing.coloured;
        document.addEventListener("keydown", (event) => this.shortcut(event));
        this.preview(new Uint8Array(this.about.input.bytes));
        this.run(new Uint8Array(this.about.input.bytes), false);
    }

    setUpSliders() {
        this.sliders = new Sliders(this.about, () => this.soon());
        if (this.samples.samples.length) this.sliders.set(this.samples.samples[0]);
        this.curve = new Curve(this.model, this.sliders, this.model.time(this.sliders.bytes));
        this.draw();
    }

    shortcut(event) {
        const brush = find("brush");
        const elsewhere = event.target.matches?.("input, select, textarea");
        if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") this.drawing.undo();
        else if (elsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
        else if (event.key === "u" || event.key === "Backspace") this.drawing.undo();
        else if (event.key === "c" || event.key === "Delete") this.drawing.clear();
        else if (event.key === "+" || event.key === "-") brush.value = Number(brush.value) + (event.key === "+" ? 2 : -2);
        else return;
        say("brush-size", brush.value);
        event.preventDefault();
    }

    /** Run what is drawn or set at present. */
    draw() {
        if (!this.about.drawable) {
            this.run(this.sliders.bytes);
            this.curve.draw();
            return;
        }
        const { shape } = this.about.input;
        const { width, height } = this.drawing.canvas;
        const { preparation, maximum } = this.about;
        const planes = this.drawing.ink().map((ink) => prepare(ink, width, height, shape, preparation, maximum));
        const pixels = shape[0] * shape[1];
        const bytes = new Uint8Array(pixels * planes.length);
        planes.forEach((plane, channel) => plane.forEach((value, at) => (bytes[at * planes.length + channel] = value)));
        this.run(bytes, this.settled);
    }

    choose(bytes) {
        if (this.about.drawable) {
            this.drawing.showPicture(pictureOf(bytes, this.about.input.shape, this.about.maximum, inkColour()));
            this.run(bytes);
        } else {
            this.sliders.set(bytes);
            this.draw();
        }
    }

    preview(bytes) {
        const canvas = find("preview");
        const [height, width, channels] = this.about.input.shape;
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
        paint(canvas, bytes, channels, this.about.maximum, inkColour());
        this.shown = bytes;
    }

    /** Paint anew with other colours. */
    repaint() {
        if (!this.about.drawable) return;
        this.samples.redraw(inkColour());
        this.preview(this.shown);
        this.drawing.redraw();
    }
}

/** Cut the page's packed data: module, samples, checksums of the golden vectors. */
function unpack(about, bytes) {
    const samplesEnd = about.module + about.samples.length * about.input.bytes;
    const samples = about.samples.map((_, index) => {
        const start = about.module + index * about.input.bytes;
        return bytes.slice(start, start + about.input.bytes);
    });
    return { module: bytes.slice(0, about.module), samples, expected: numbersOf("uint32", bytes.slice(samplesEnd)) };
}

async function start() {
    const about = JSON.parse(find("model-document").textContent);
    const { module, samples, expected } = unpack(about, await gunzip(fromBase64(find("model-data").textContent)));
    const model = await Model.load(about, module);
    const golden = checkGolden(model, about.golden, samples, expected);
    const mark = find("golden");
    mark.dataset.state = golden.first ? "different" : "equal";
    mark.textContent = golden.first
        ? `golden vectors: different, first at ${golden.first}`
        : `golden vectors: all ${golden.vectors} equal to the simulator, every layer`;
    const playground = new Playground(about, model, samples);
    const probe = samples[0] ?? new Uint8Array(about.input.bytes);
    const milliseconds = model.time(probe);
    find("time").textContent = milliseconds < 0.01 ? "< 0.01" : milliseconds.toFixed(2);
    playground.repaint();
    // For the browser's console: qnn.run([784 numbers]) gives outputs, class and probabilities.
    globalThis.qnn = {
        about,
        milliseconds,
        golden,
        run: (bytes) => model.infer(Uint8Array.from(bytes)),
        show: (bytes) => playground.choose(Uint8Array.from(bytes)),
        playground,
    };
    show("loading", false);
    document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
    find("loading").textContent = `The page does not work: ${error}`;
    show("loading", true);
});
