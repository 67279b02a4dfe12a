// SPDX-License-Identifier: MIT
/** Test samples to click. */
import { find, make, show } from "./dom.js";

/** A canvas with an image of the network, value 0 transparent: bytes 0..maximum of [height, width, channels]. */
export function pictureOf(bytes, [height, width, channels], maximum, ink) {
    const canvas = make("canvas", { width, height });
    paint(canvas, bytes, channels, maximum, ink);
    return canvas;
}

/** Paint an image of the network on `canvas`, which has its size. */
export function paint(canvas, bytes, channels, maximum, [red, green, blue]) {
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const level = (index) => Math.min(255, (bytes[index] * 255) / maximum);
    for (let pixel = 0; pixel < canvas.width * canvas.height; pixel++) {
        const grey = [red, green, blue, level(pixel)];
        const coloured = [level(3 * pixel), level(3 * pixel + 1), level(3 * pixel + 2), 255];
        image.data.set(channels === 3 ? coloured : grey, 4 * pixel);
    }
    context.putImageData(image, 0, 0);
}

/** Buttons for the samples; chosen(bytes, index) is called on a click. pictures: draw them, else name them. */
export class Samples {
    constructor(about, samples, pictures, chosen) {
        this.about = about;
        this.samples = samples;
        this.canvases = [];
        show("samples", samples.length > 0);
        const buttons = samples.map((bytes, index) => this.button(bytes, index, pictures, chosen));
        find("sample-buttons").replaceChildren(...buttons);
    }

    button(bytes, index, pictures, chosen) {
        const { name, label } = this.about.samples[index];
        const text = label === "" ? name : `${name}: ${label}`;
        const button = make("button", { type: "button", className: "sample", onclick: () => chosen(bytes, index) });
        if (pictures) {
            const [height, width] = this.about.input.shape;
            const canvas = make("canvas", { width, height, role: "img" });
            canvas.setAttribute("aria-label", text);
            button.title = text;
            button.append(canvas);
            this.canvases.push(canvas);
        } else {
            button.append(text);
        }
        return button;
    }

    /** Paint the pictures with this colour of ink. */
    redraw(ink) {
        const { input, maximum } = this.about;
        this.canvases.forEach((canvas, index) => paint(canvas, this.samples[index], input.shape[2], maximum, ink));
    }
}
