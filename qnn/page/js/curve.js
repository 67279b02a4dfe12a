// SPDX-License-Identifier: MIT
/** A curve: one output of the network over one input, the others as they are. */
import { bytesOf } from "./bytes.js";
import { decimal, find, make } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 280, 64, 28, 12, 34];
const TICKS = 4;
const MOST_POINTS = 161;
const BUDGET = 60; // milliseconds for all the points of a curve

function shape(tag, attributes, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
}

/** The plot, and the choice of its input and its output. */
export class Curve {
    constructor(model, sliders, milliseconds) {
        this.model = model;
        this.sliders = sliders;
        const { features, classes, targets } = model.about;
        this.most = Math.max(17, Math.min(MOST_POINTS, Math.floor(BUDGET / Math.max(0.01, milliseconds))));
        fill("curve-input", features.map((feature) => feature.name));
        fill("curve-output", classes.length ? classes : targets.map((target) => target.name));
        for (const name of ["curve-input", "curve-output"]) {
            find(name).addEventListener("change", () => this.draw());
        }
    }

    /** What the curve shows of a result: a probability in percent, a score, or a value in its unit. */
    height(result, output) {
        const { targets } = this.model.about;
        if (result.value) return result.value[output] / 10 ** targets[output].decimals;
        if (result.probabilities) return (100 * result.probabilities[output]) / 32768;
        return result.outputs[Math.min(output, result.outputs.length - 1)];
    }

    /** Compute and draw it. */
    draw() {
        const index = find("curve-input").selectedIndex;
        const output = find("curve-output").selectedIndex;
        const { features, input } = this.model.about;
        const { low, high, decimals } = features[index];
        const values = [...this.sliders.values];
        const now = values[index];
        const count = Math.max(2, Math.min(this.most, high - low + 1));
        const at = (value) => {
            values[index] = value;
            return [value, this.height(this.model.infer(bytesOf(input.dtype, values)), output)];
        };
        const points = Array.from({ length: count }, (_, step) =>
            at(low + Math.round((step * (high - low)) / (count - 1))),
        );
        const heights = points.map((point) => point[1]);
        const [floor, ceiling] = [Math.min(...heights), Math.max(...heights)];
        const room = Math.max((ceiling - floor) * 0.06, Math.abs(ceiling) * 1e-3, 1e-6);
        this.frame = { low, span: Math.max(1, high - low), floor: floor - room, tall: ceiling - floor + 2 * room };
        this.paint(points, at(now), decimals);
    }

    place([value, height]) {
        const { low, span, floor, tall } = this.frame;
        const x = LEFT + ((value - low) / span) * (WIDTH - LEFT - RIGHT);
        return [x, HEIGHT - BOTTOM - ((height - floor) / tall) * (HEIGHT - TOP - BOTTOM)];
    }

    paint(points, now, decimals) {
        const path = points.map((point) => this.place(point).map((part) => part.toFixed(1)).join(","));
        const [x, y] = this.place(now);
        const marks = [shape("polyline", { points: path.join(" "), class: "line" })];
        if (x >= LEFT && x <= WIDTH - RIGHT) {
            marks.push(shape("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: "now" }));
            marks.push(shape("circle", { cx: x, cy: y, r: 5, class: "dot" }));
        }
        const plot = find("curve");
        plot.replaceChildren(...this.axes(decimals), ...marks);
        const names = ["curve-output", "curve-input"].map((name) => find(name).selectedOptions[0].textContent);
        const ends = [points[0], points.at(-1)].map(([value, height]) => `${height.toPrecision(4)} at ${decimal(value, decimals)}`);
        plot.setAttribute("aria-label", `${names[0]} over ${names[1]}: ${ends.join(", ")}`);
    }

    axes(decimals) {
        const { low, span, floor, tall } = this.frame;
        const digits = tall < 0.1 ? 4 : tall < 1 ? 3 : tall < 20 ? 2 : 0;
        const marks = [];
        for (let tick = 0; tick <= TICKS; tick++) {
            const value = low + (tick * span) / TICKS;
            const height = floor + (tick * tall) / TICKS;
            const [x, y] = this.place([value, height]);
            marks.push(shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid" }));
            marks.push(shape("text", { x: LEFT - 8, y: y + 4, class: "vertical" }, height.toFixed(digits)));
            marks.push(shape("text", { x, y: HEIGHT - 12, class: "horizontal" }, decimal(Math.round(value), decimals)));
        }
        return marks;
    }
}

function fill(name, texts) {
    find(name).replaceChildren(...texts.map((text, index) => make("option", { value: index }, text)));
}
