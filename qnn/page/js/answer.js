// SPDX-License-Identifier: MIT
/** What the network answers: a bar a class with its integers, or values in their units. */
import { decimal, find, make, say, show } from "./dom.js";

const ONE = 32768; // of a Q15 probability

/** The index of the class that a result names. */
export function classOf(result) {
    return result.class[0];
}

/** A result in one line, for people: "7, 98.2 %", or "21.3 temperature". */
export function sentence(about, result) {
    if (result.class) {
        const index = classOf(result);
        const share = shares(about, result)?.[index];
        const name = about.classes[index];
        return share === undefined ? name : `${name}, ${((100 * share) / ONE).toFixed(1)} %`;
    }
    return about.targets.map((target, index) => `${target.name} ${valueText(about, result, index)}`).join(", ");
}

/** Q15 probabilities, one a class (a single output stands for two); undefined where the model has none. */
export function shares(about, result) {
    return result.probabilities && Array.from(result.probabilities);
}

/** A regression's value `index` in its unit, or the quantized output where the header has no values. */
export function valueText(about, result, index) {
    return result.value ? decimal(result.value[index], about.targets[index].decimals) : String(result.outputs[index]);
}

/** The table of scores or values. */
export class Answer {
    constructor(about) {
        this.about = about;
        const names = about.classes.length ? about.classes : about.targets.map((target) => target.name);
        this.rows = names.map((name) => this.row(name));
        find("answer-rows").replaceChildren(...this.rows.map((row) => row.line));
        const classifier = about.classes.length > 0;
        show("share-column", classifier && about.heads.some((head) => head.name === "probabilities"));
        find("answer-table").classList.toggle("values", !classifier);
        if (classifier) return;
        find("name-column").textContent = "output";
        find("bar-column").textContent = "value";
        find("bar-column").className = "number";
        find("score-column").textContent = "integer";
    }

    row(name) {
        const [integer, percent] = [make("span"), make("span", { className: "percent" })];
        const share = make("td", { className: "number" }, integer, percent);
        const cells = { score: make("td", { className: "number" }), share, integer, percent };
        const bar = make("div", { className: "bar" });
        const value = make("td", { className: "number strong" });
        const heading = make("th", { scope: "row", title: name }, name);
        const classifier = this.about.classes.length > 0;
        const others = classifier ? [make("td", { className: "track" }, bar), cells.score] : [value, cells.score];
        if (classifier && this.about.heads.some((head) => head.name === "probabilities")) others.push(cells.share);
        return { line: make("tr", {}, heading, ...others), bar, value, ...cells };
    }

    /** Show a result. */
    show(result) {
        const { about } = this;
        const found = shares(about, result);
        const winner = about.classes.length ? classOf(result) : -1;
        const outputs = Array.from(result.outputs);
        const [low, high] = [Math.min(...outputs), Math.max(...outputs)];
        this.rows.forEach((row, index) => {
            row.line.classList.toggle("winner", index === winner);
            const output = outputs.length === 1 && about.classes.length ? (index ? outputs[0] : null) : outputs[index];
            row.score.textContent = output ?? "";
            if (!about.classes.length) {
                row.value.textContent = valueText(about, result, index);
                if (result.value) row.score.textContent = result.value[index];
                return;
            }
            if (found) {
                row.integer.textContent = found[index];
                row.percent.textContent = ` (${((100 * found[index]) / ONE).toFixed(1)} %)`;
            }
            const part = found ? found[index] / ONE : (output - low) / Math.max(1, high - low);
            row.bar.style.width = `${100 * part}%`;
        });
        const answer = about.classes.length ? about.classes[winner] : sentence(about, result);
        say("answer", answer);
        say("glance", answer);
    }
}
