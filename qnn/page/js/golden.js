// SPDX-License-Identifier: MIT
/** Golden vectors: inputs whose every layer the simulator has computed, as checksums. See qnn/page/golden.py. */
import { bytesOf, crc32 } from "./bytes.js";

const WHOLE = 4294967296;

/** The page's made-up inputs, one after the other: what qnn/page/golden.py makes of the same seed. */
export function* madeUp(input, golden) {
    let state = golden.seed;
    const next = () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        return state;
    };
    const elements = input.shape.reduce((product, size) => product * size, 1);
    for (let vector = 0; vector < golden.count; vector++) {
        const values = Array.from({ length: elements }, (_, index) => {
            const [low, high] = [golden.low, golden.high].map((ends) => ends[index % ends.length]);
            const draw = next();
            const uniform = low + Math.floor((next() * (high - low + 1)) / WHOLE);
            if (vector % 3 === 1) return draw & 1 ? high : low;
            return vector % 3 === 2 && draw & 3 ? low : uniform;
        });
        yield bytesOf(input.dtype, values);
    }
}

/** Run every golden vector; the number of them, and the first tensor that differs, or "". */
export function checkGolden(model, golden, samples, expected) {
    const { input, nodes, heads } = model.about;
    const names = [...nodes, ...heads].map((tensor) => tensor.name);
    let vectors = 0;
    for (const bytes of [...samples, ...madeUp(input, golden)]) {
        const result = model.infer(bytes);
        const tensors = [...result.layers, ...heads.map((head) => result[head.name])];
        for (const [index, values] of tensors.entries()) {
            const sum = crc32(new Uint8Array(values.buffer));
            if (sum !== expected[vectors * names.length + index]) {
                return { vectors, first: `vector ${vectors}, ${names[index]}` };
            }
        }
        vectors++;
    }
    return { vectors, first: "" };
}
