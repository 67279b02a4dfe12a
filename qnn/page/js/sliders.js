// SPDX-License-Identifier: MIT
/** A slider and a number field for each raw input, in the unit of the data. */
import { bytesOf, numbersOf } from "./bytes.js";
import { decimal, find, make } from "./dom.js";

const LIMITS = { uint8: [0, 255], int32: [-2147483648, 2147483647] };

/** The inputs. changed() is called when one of them changes. */
export class Sliders {
    constructor(about, changed) {
        this.about = about;
        this.changed = changed;
        this.values = about.features.map(({ low, high }) => Math.round((low + high) / 2));
        this.rows = about.features.map((feature, index) => this.row(feature, index));
        find("sliders").replaceChildren(...this.rows.map((row) => row.line));
        this.rows.forEach((_, index) => this.update(index));
    }

    /** The raw input as bytes. */
    get bytes() {
        return bytesOf(this.about.input.dtype, this.values);
    }

    /** Take over the raw input `bytes`. */
    set(bytes) {
        this.values = Array.from(numbersOf(this.about.input.dtype, bytes));
        this.rows.forEach((_, index) => this.update(index));
    }

    row(feature, index) {
        const { name, low, high, decimals } = feature;
        const title = `${name}, raw`;
        const slider = make("input", { type: "range", min: low, max: high, step: 1, ariaLabel: title });
        const unit = 10 ** -decimals;
        const field = make("input", { type: "number", step: unit.toFixed(decimals), id: `feature-${index}` });
        const note = make("span", { className: "note" });
        slider.addEventListener("input", () => this.change(index, Number(slider.value)));
        field.addEventListener("input", () => {
            const value = Math.round(Number(field.value) * 10 ** decimals);
            if (field.value !== "") this.change(index, value, field);
        });
        field.addEventListener("change", () => this.update(index));
        const label = make("label", { htmlFor: field.id, title: name }, name);
        return { line: make("div", { className: "feature" }, label, slider, field, note), slider, field, note };
    }

    change(index, value, source = null) {
        const [low, high] = LIMITS[this.about.input.dtype];
        this.values[index] = Math.min(high, Math.max(low, value));
        this.update(index, source);
        this.changed();
    }

    /** Show a value; a field that is being typed in stays as it is. */
    update(index, source = null) {
        const { slider, field, note } = this.rows[index];
        const { low, high, decimals } = this.about.features[index];
        const value = this.values[index];
        slider.value = value;
        slider.setAttribute("aria-valuetext", decimal(value, decimals));
        if (field !== source) field.value = decimal(value, decimals);
        const beyond = value < low || value > high;
        note.textContent = beyond ? "saturates" : decimals ? `raw ${value}` : "";
        note.classList.toggle("warning", beyond);
    }
}
