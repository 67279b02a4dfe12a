// SPDX-License-Identifier: MIT
/** The model: its C header, compiled to WebAssembly, run as it is. */
import { numbersOf } from "./bytes.js";

/** One model in memory. `about` is its description, in the page's document. */
export class Model {
    /** The model that the module's bytes `wasm` hold. */
    static async load(about, wasm) {
        const { instance } = await WebAssembly.instantiate(wasm, {});
        return new Model(about, instance.exports);
    }

    constructor(about, functions) {
        this.about = about;
        this.functions = functions;
    }

    /** Run the raw input `bytes`: the outputs, what the heads make of them (as far as there are), every layer. */
    infer(bytes) {
        this.put(bytes);
        if (this.functions.qnnInfer()) throw new Error("the model failed");
        const result = { input: bytes, outputs: this.take(this.functions.qnnOutput(), this.about.output) };
        for (const head of this.about.heads) result[head.name] = this.take(this.functions[head.place](), head);
        let at = this.functions.qnnLayers();
        result.layers = this.about.nodes.map((node) => {
            const values = this.take(at, node);
            at += node.bytes;
            return values;
        });
        return result;
    }

    /** NAME_run alone, for plots and measurements: the outputs of the raw input `bytes`. */
    run(bytes) {
        this.put(bytes);
        this.functions.qnnRun(1);
        return this.take(this.functions.qnnOutput(), this.about.output);
    }

    /** Milliseconds of one NAME_run on `bytes`: the mean of as many runs as browsers' clocks need. */
    time(bytes, budget = 8) {
        this.put(bytes);
        let runs = 1;
        for (;;) {
            const start = performance.now();
            this.functions.qnnRun(runs);
            const spent = performance.now() - start;
            if (spent >= budget || runs >= 1 << 16) return spent / runs;
            runs = Math.ceil(runs * Math.min(16, Math.max(2, (1.2 * budget) / Math.max(spent, 0.1))));
        }
    }

    put(bytes) {
        if (bytes.length !== this.about.input.bytes) {
            throw new Error(`an input has ${this.about.input.bytes} bytes, not ${bytes.length}`);
        }
        new Uint8Array(this.functions.memory.buffer).set(bytes, this.functions.qnnInput());
    }

    take(at, tensor) {
        return numbersOf(tensor.dtype, new Uint8Array(this.functions.memory.buffer, at, tensor.bytes));
    }
}
