// SPDX-License-Identifier: MIT
/** Heat maps of the integers that each layer holds. */
import { find, make } from "./dom.js";

const GAP = 1;
const [WIDE, HIGH] = [480, 200]; // pixels on the screen that a map may take
const STOPS = [
    [16, 18, 40],
    [74, 40, 120],
    [190, 60, 90],
    [247, 150, 70],
    [252, 247, 200],
];
const PALETTE = Array.from({ length: 256 }, (_, value) => {
    const at = (value / 255) * (STOPS.length - 1);
    const index = Math.min(STOPS.length - 2, Math.floor(at));
    const mixed = STOPS[index].map((from, channel) => from + (STOPS[index + 1][channel] - from) * (at - index));
    const [red, green, blue] = mixed.map(Math.round);
    return 0xff000000 + (blue << 16) + (green << 8) + red;
});

/** Where the elements of a tensor of this shape are drawn: columns and rows of cells, and each element's cell. */
export function layout(shape) {
    const count = shape.reduce((product, size) => product * size, 1);
    if (shape.length !== 3) {
        const columns = count <= 64 ? count : Math.ceil(Math.sqrt(count));
        const cell = (index) => [index % columns, Math.floor(index / columns)];
        return { columns, rows: Math.ceil(count / columns), cell };
    }
    const [height, width, channels] = shape;
    const down = rowsOfTiles(height, width, channels);
    const across = Math.ceil(channels / down);
    const cell = (index) => {
        const channel = index % channels;
        const pixel = Math.floor(index / channels);
        const [tileX, tileY] = [channel % across, Math.floor(channel / across)];
        return [tileX * (width + GAP) + (pixel % width), tileY * (height + GAP) + Math.floor(pixel / width)];
    };
    return { columns: across * (width + GAP) - GAP, rows: down * (height + GAP) - GAP, cell };
}

/** In how many rows the channels' tiles make a picture about three times as wide as tall, without empty places. */
function rowsOfTiles(height, width, channels) {
    let [best, least] = [1, Infinity];
    for (let rows = 1; rows <= channels; rows++) {
        const columns = Math.ceil(channels / rows);
        const shape = Math.abs(Math.log((columns * width) / (rows * height * 3)));
        const cost = shape + (columns * rows - channels) / channels;
        if (cost < least) [best, least] = [rows, cost];
    }
    return best;
}

/** One map a layer, with a line that names the value under the pointer. */
export class Layers {
    constructor(about) {
        this.maps = about.nodes.map((node) => new HeatMap(node));
        find("layers").replaceChildren(...this.maps.map((map) => map.figure));
    }

    /** Show the layers of a result. */
    show(result) {
        this.maps.forEach((map, index) => map.show(result.layers[index]));
    }
}

class HeatMap {
    constructor(node) {
        this.node = node;
        this.plan = layout(node.shape);
        this.brightest = 1;
        const count = node.shape.reduce((product, size) => product * size, 1);
        const { cell } = this.plan;
        this.places = Array.from({ length: count }, (_, index) => cell(index)[1] * this.plan.columns + cell(index)[0]);
        const { columns, rows } = this.plan;
        this.canvas = make("canvas", { width: columns, height: rows, role: "img" });
        this.context = this.canvas.getContext("2d");
        const scale = Math.max(1, Math.min(14, Math.floor(WIDE / columns), Math.floor(HIGH / rows)));
        this.canvas.style.width = `${columns * scale}px`;
        this.note = make("span", { className: "note" });
        const title = `${node.name} = ${node.operator}: ${node.shape.join("×")} ${node.dtype}`;
        this.figure = make("figure", {}, this.canvas, make("figcaption", {}, make("b", {}, title), this.note));
        this.canvas.addEventListener("pointermove", (event) => this.point(event));
        this.canvas.addEventListener("pointerleave", () => this.summarize());
    }

    show(values) {
        this.values = values;
        const image = this.context.createImageData(this.canvas.width, this.canvas.height);
        const [low, high] = this.limits(values);
        const scale = 255 / Math.max(1, high - low);
        const pixels = new Uint32Array(image.data.buffer);
        values.forEach((value, index) => (pixels[this.places[index]] = PALETTE[Math.round((value - low) * scale)]));
        this.context.putImageData(image, 0, 0);
        this.summarize();
    }

    /** What dark and bright stand for: bytes from 0 to the largest so far, other values from end to end. */
    limits(values) {
        this.low = values.reduce((a, b) => Math.min(a, b));
        this.high = values.reduce((a, b) => Math.max(a, b));
        this.brightest = Math.max(this.brightest, this.high);
        return this.node.dtype === "uint8" ? [0, this.brightest] : [this.low, this.high];
    }

    summarize() {
        const { low, high } = this;
        this.note.textContent = `${low} … ${high}`;
        this.canvas.setAttribute("aria-label", `Heat map of ${this.node.name}: integers from ${low} to ${high}`);
    }

    point(event) {
        const box = this.canvas.getBoundingClientRect();
        const x = Math.floor(((event.clientX - box.left) * this.canvas.width) / box.width);
        const y = Math.floor(((event.clientY - box.top) * this.canvas.height) / box.height);
        const index = this.places.indexOf(y * this.canvas.width + x);
        if (index >= 0) this.note.textContent = `[${indexText(index, this.node.shape)}] = ${this.values[index]}`;
    }
}

/** The index of element `flat` in a tensor of this shape, as text: "3, 4, 1". */
export function indexText(flat, shape) {
    const parts = [];
    for (const size of [...shape].reverse()) {
        parts.unshift(flat % size);
        flat = Math.floor(flat / size);
    }
    return parts.join(", ");
}
