// SPDX-License-Identifier: MIT
/** The drawing area: mouse, touch and pen by pointer events, the keyboard by a pen that arrow keys move. */
import { find } from "./dom.js";

const LONG_SIDE = 280; // pixels of the drawing area's longer side
const STEP = 7;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Strokes on the canvas, and what of them the network is to see.
 *
 * changed(settled) is called after every change; settled: a stroke is complete. */
export class Drawing {
    constructor([height, width, channels], changed) {
        this.canvas = find("drawing");
        this.coloured = channels === 3;
        const unit = LONG_SIDE / Math.max(height, width);
        this.canvas.width = Math.round(width * unit);
        this.canvas.height = Math.round(height * unit);
        this.context = this.canvas.getContext("2d", { willReadFrequently: true });
        this.changed = changed;
        this.strokes = [];
        this.picture = null;
        this.pen = { x: this.canvas.width / 2, y: this.canvas.height / 2, down: false };
        this.pointer = null;
        this.byKey = true; // whether a key was what the drawing area heard last
        this.listen();
    }

    /** Take the last stroke back. */
    undo() {
        this.strokes.pop();
        this.lift();
        this.redraw();
        this.changed(true);
    }

    /** Take all strokes back. */
    clear() {
        this.strokes = [];
        this.picture = null;
        this.lift();
        this.redraw();
        this.changed(true);
    }

    /** Show an image of the network (a canvas) in place of strokes; the next stroke removes it. */
    showPicture(picture) {
        this.strokes = [];
        this.lift();
        this.picture = picture;
        this.redraw();
    }

    /** Draw everything anew, as after a change of the colours. */
    redraw() {
        const { width, height } = this.canvas;
        this.context.clearRect(0, 0, width, height);
        if (this.picture) {
            this.context.imageSmoothingEnabled = false;
            this.context.drawImage(this.picture, 0, 0, width, height);
        }
        for (const stroke of this.strokes) this.line(stroke, 0);
    }

    /** One array a channel of the ink on each pixel, 0 to 255. */
    ink() {
        const { width, height } = this.canvas;
        const { data } = this.context.getImageData(0, 0, width, height);
        const channels = this.coloured ? [0, 1, 2] : [3];
        const planes = channels.map(() => new Uint8Array(width * height));
        for (let pixel = 0; pixel < width * height; pixel++) {
            const alpha = data[4 * pixel + 3];
            if (!alpha) continue;
            if (!this.coloured) planes[0][pixel] = alpha;
            else for (const channel of channels) planes[channel][pixel] = (data[4 * pixel + channel] * alpha) / 255;
        }
        return planes;
    }

    begin(x, y) {
        if (this.picture) {
            this.picture = null;
            this.redraw();
        }
        const colour = this.coloured ? find("ink-colour").value : null;
        this.strokes.push({ size: Number(find("brush").value), colour, points: [] });
        this.extend(x, y);
    }

    extend(x, y) {
        const stroke = this.strokes.at(-1);
        stroke.points.push([x, y]);
        this.line(stroke, Math.max(0, stroke.points.length - 2));
        this.changed(false);
    }

    /** A stroke is complete: drawn as one line, it looks the same however many events it came in. */
    finish() {
        this.redraw();
        this.changed(true);
    }

    line(stroke, from) {
        const context = this.context;
        context.strokeStyle = stroke.colour ?? getComputedStyle(this.canvas).color;
        context.lineWidth = stroke.size;
        context.lineCap = context.lineJoin = "round";
        context.beginPath();
        context.moveTo(...stroke.points[from]);
        for (const point of stroke.points.slice(from)) context.lineTo(...point);
        context.stroke();
    }

    listen() {
        const canvas = this.canvas;
        canvas.addEventListener("pointerdown", (event) => {
            if (this.pointer !== null || event.button) return;
            event.preventDefault();
            canvas.focus({ preventScroll: true });
            canvas.setPointerCapture(event.pointerId);
            this.byKey = false;
            this.lift();
            this.pointer = event.pointerId;
            this.begin(...this.place(event));
        });
        canvas.addEventListener("pointermove", (event) => {
            if (event.pointerId !== this.pointer) return;
            for (const part of event.getCoalescedEvents?.() ?? []) this.extend(...this.place(part));
            this.extend(...this.place(event));
        });
        for (const name of ["pointerup", "pointercancel"]) {
            canvas.addEventListener(name, (event) => {
                if (event.pointerId !== this.pointer) return;
                this.pointer = null;
                this.finish();
            });
        }
        canvas.addEventListener("keydown", (event) => this.key(event));
        canvas.addEventListener("focus", () => this.showPen());
        canvas.addEventListener("blur", () => this.showPen());
    }

    place(event) {
        const box = this.canvas.getBoundingClientRect();
        const { width, height } = this.canvas;
        return [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
    }

    key(event) {
        this.byKey = true;
        const arrow = ARROWS[event.key];
        if (arrow && !event.ctrlKey && !event.metaKey && !event.altKey) {
            this.move(arrow, event.shiftKey ? 1 : STEP);
        } else if (event.key === " ") {
            this.press();
        } else if (event.key === "Escape") {
            if (this.pen.down) this.press();
        } else {
            return;
        }
        event.preventDefault();
        this.showPen();
    }

    move([across, down], step) {
        const { width, height } = this.canvas;
        this.pen.x = Math.min(width, Math.max(0, this.pen.x + across * step));
        this.pen.y = Math.min(height, Math.max(0, this.pen.y + down * step));
        if (this.pen.down) this.extend(this.pen.x, this.pen.y);
    }

    press() {
        this.pen.down = !this.pen.down;
        if (this.pen.down) this.begin(this.pen.x, this.pen.y);
        else this.finish();
    }

    lift() {
        this.pen.down = false;
        this.showPen();
    }

    showPen() {
        const pen = find("pen");
        pen.hidden = !this.byKey || !this.canvas.matches(":focus-visible");
        pen.classList.toggle("down", this.pen.down);
        pen.style.left = `${(100 * this.pen.x) / this.canvas.width}%`;
        pen.style.top = `${(100 * this.pen.y) / this.canvas.height}%`;
    }
}
