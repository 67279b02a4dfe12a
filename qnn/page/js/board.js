// SPDX-License-Identifier: MIT
/** The panel of the board: what it computes for each input, beside what this page computes. */
import { find, grouped, make, say, show } from "./dom.js";
import { indexText } from "./layers.js";
import { HEAD_FLAGS, HELLO, INFER, fetchLayer, parseHello, parseInference } from "./protocol.js";
import { SerialLine, choosePort } from "./serial.js";
import { SocketLine } from "./socket.js";

const NOTHING = new Uint8Array(0);
const RETRY = 1000;
const NO_SELF_TEST = 0xffffffff;

/** The panel. It holds at most one input back while the board is busy: the newest. */
export class BoardPanel {
    constructor(about) {
        this.about = about;
        this.flags = about.heads.reduce((flags, head) => flags | HEAD_FLAGS[head.name], 0);
        this.counts = { asked: 0, equal: 0 };
        this.line = null;
        this.hello = null;
        this.latest = this.pending = null;
        this.busy = false;
        const names = about.classes.length ? about.classes : about.targets.map((target) => target.name);
        const outputs = about.output.shape.reduce((product, size) => product * size, 1);
        this.rows = Array.from({ length: outputs }, (_, index) => row(names[names.length === outputs ? index : 1]));
        find("board-rows").replaceChildren(...this.rows.map((cells) => cells.line));
        const usable = Boolean(navigator.serial);
        show("serial-advice", !usable && !about.bridge);
        find("connect").hidden = !usable;
        find("connect").addEventListener("click", () => this.toggle());
        if (about.bridge) this.bridge(about.bridge.path);
        find("board-reset").addEventListener("click", () => this.line.command("reset"));
    }

    /** Let the board compute the same input as `result`, if there is a board. */
    offer(result) {
        this.latest = this.pending = result;
        this.work();
    }

    /** Talk to the board on `port`, which is closed. */
    async attach(port) {
        await this.detach();
        this.port = port;
        const line = new SerialLine(port, (text) => this.heard(text), (reason) => this.gone(reason));
        await line.start();
        this.line = line;
        find("connect").textContent = "Disconnect";
        this.state("waiting", "asking the board …");
        await this.greet();
    }

    /** Leave the port to others. */
    async detach() {
        const { line } = this;
        if (line instanceof SerialLine) {
            this.line = this.hello = null;
            await line.close();
            find("connect").textContent = "Connect by USB";
            this.state("none", "not connected");
        }
    }

    async toggle() {
        try {
            if (this.line instanceof SerialLine) await this.detach();
            else await this.attach(await choosePort());
        } catch (error) {
            if (error.name !== "NotFoundError") this.state("lost", `the port cannot be used: ${error.message}`);
        }
    }

    bridge(path) {
        const address = new URL(path, location.href);
        address.protocol = address.protocol.replace("http", "ws");
        this.line = new SocketLine(address.href, (state) => this.bridged(state));
    }

    bridged(state) {
        const others = (state.pages ?? 1) - 1;
        say("board-others", others > 0 ? `${others} other page${others > 1 ? "s" : ""} on the same board` : "");
        if (state.event) say("board-text", state.event);
        show("board-reset", state.resettable ?? false);
        if (state.state === "ready") this.greet();
        else if (state.state) {
            this.hello = null;
            this.state(state.state === "closed" ? "lost" : state.state, state.text);
        }
    }

    /** Ask the board who it is. */
    async greet() {
        try {
            this.hello = parseHello(await this.line.ask(HELLO, 0, NOTHING));
        } catch (error) {
            this.state("lost", `the board does not answer: ${error.message}; try RESET on the board`);
            return;
        }
        const { hello, about } = this;
        if (!hello) this.state("lost", "something answers, but not as a board of qnn");
        else if (hello.hash !== about.hash) {
            this.hello = null;
            this.state("lost", `the board has another model: ${hello.name}, ${hello.hash.slice(0, 12)}. Flash this one.`);
        } else {
            const test = hello.selfTest === NO_SELF_TEST ? "" : hello.selfTest ? ", self-test FAIL" : ", self-test PASS";
            const clock = `${Math.round(hello.clock / 1e6)} MHz`;
            this.state("ready", `${hello.name} on ${hello.chip}, ${clock}${test}`);
            this.offer(this.latest);
        }
    }

    /** What the board says beside frames: a greeting after a reset, or a trap. */
    heard(text) {
        const line = text.replace(/[^\x20-\x7e]+/g, " ").trim();
        if (/^TRAP/.test(line)) this.state("lost", `the board has trapped: ${line}`);
        else if (/^qnn \w+ on/.test(line)) say("board-text", `the board has started: ${line}`);
    }

    /** The port is gone: a reset takes a USB port along, so it is opened again when it comes back. */
    gone(reason) {
        this.hello = this.line = null;
        this.state("lost", `${reason}; waiting for it`);
        const again = async () => {
            if (this.line) return;
            const ports = await navigator.serial.getPorts();
            if (!ports.includes(this.port)) setTimeout(again, RETRY);
            else await this.attach(this.port).catch(() => setTimeout(again, RETRY));
        };
        setTimeout(again, RETRY);
    }

    async work() {
        if (this.busy || !this.hello) return;
        this.busy = true;
        while (this.pending && this.hello) {
            const result = this.pending;
            this.pending = null;
            try {
                await this.compare(result);
            } catch (error) {
                if (this.hello) this.state("lost", error.message);
                this.hello = null;
            }
        }
        this.busy = false;
    }

    async compare(result) {
        const { about } = this;
        const body = await this.line.ask(INFER, this.flags, result.input);
        const found = parseInference(body, about.output, about.heads);
        if (!found) throw new Error(`the board sends ${body.length} bytes where others are due`);
        const difference = firstDifference(result, found, about.heads);
        this.counts.asked++;
        this.counts.equal += difference ? 0 : 1;
        this.showInference(result, found);
        this.mark(difference);
        if (difference) this.mark(`${difference}; ${await this.locate(result)}`);
    }

    showInference(result, found) {
        this.rows.forEach((cells, index) => {
            cells.page.textContent = result.outputs[index];
            cells.board.textContent = found.outputs[index];
            cells.line.classList.toggle("different", result.outputs[index] !== found.outputs[index]);
        });
        const counted = this.about.bridge?.cycles !== false || this.line instanceof SerialLine;
        say("board-cycles", counted ? grouped(found.cycles) : "not counted");
        say("board-milliseconds", counted ? (found.cycles / (this.hello.clock / 1e3)).toFixed(2) : "not counted");
    }

    mark(difference) {
        const element = find("board-mark");
        element.dataset.state = difference ? "different" : "equal";
        say("board-mark", difference ? `different: ${difference}` : "equal, bit for bit");
        const { asked, equal } = this.counts;
        say("board-counts", `${grouped(equal)} of ${grouped(asked)} inputs equal`);
    }

    /** The first layer that the board computes differently. */
    async locate(result) {
        for (const [index, node] of this.about.nodes.entries()) {
            const ask = (type, flags, body) => this.line.ask(type, flags, body);
            const values = await fetchLayer(ask, node, index, result.input);
            const at = values.findIndex((value, element) => value !== result.layers[index][element]);
            if (at < 0) continue;
            const place = `${node.name}[${indexText(at, node.shape)}]`;
            return `the first layer is ${place}: page ${result.layers[index][at]}, board ${values[at]}`;
        }
        return "every layer is equal";
    }

    state(state, text) {
        find("board").dataset.state = state;
        say("board-state", text);
        show("board-results", state === "ready" || this.counts.asked > 0);
        if (state !== "ready") {
            delete find("board-mark").dataset.state;
            say("board-mark", "");
        }
    }
}

/** Names the first value in which a board's result differs from the page's; "" if there is none. */
export function firstDifference(result, found, heads) {
    for (const name of ["outputs", ...heads.map((head) => head.name)]) {
        const at = result[name].findIndex((value, index) => value !== found[name][index]);
        if (at >= 0) return `${name}[${at}]: page ${result[name][at]}, board ${found[name][at]}`;
    }
    return "";
}

function row(name) {
    const page = make("td", { className: "number" });
    const board = make("td", { className: "number" });
    return { line: make("tr", {}, make("th", { scope: "row" }, name), page, board), page, board };
}
