// SPDX-License-Identifier: MIT
/** From ink on the drawing area to a network's image, prepared as its training images were. */

const VISIBLE = 8; // of 255: what smooth edges leave below it is no ink
const MNIST_BOX = 20 / 28;

/** The smallest box with ink: left, top, width, height; null if there is none. */
export function inkBox(ink, width, height) {
    const columns = new Uint8Array(width);
    const rows = new Uint8Array(height);
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
            if (ink[y * width + x] >= VISIBLE) columns[x] = rows[y] = 1;
        }
    }
    const [left, top] = [columns.indexOf(1), rows.indexOf(1)];
    if (left < 0) return null;
    return { left, top, width: columns.lastIndexOf(1) - left + 1, height: rows.lastIndexOf(1) - top + 1 };
}

/** The box of an image `pitch` wide, shrunk or enlarged to width x height: the mean of the area below each pixel. */
export function resample(ink, pitch, box, width, height) {
    const across = overlaps(box.left, box.width, width);
    const down = overlaps(box.top, box.height, height);
    const small = new Float64Array(width * height);
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) small[y * width + x] = mean(ink, pitch, across[x], down[y]);
    }
    return small;
}

function mean(ink, pitch, across, down) {
    let sum = 0;
    for (let row = 0; row < down.length; row++) {
        const start = (down.first + row) * pitch + across.first;
        let part = 0;
        for (let column = 0; column < across.length; column++) part += across[column] * ink[start + column];
        sum += down[row] * part;
    }
    return sum;
}

/** For each of `count` equal parts of start..start + length: how it is shared among whole numbers, from .first on. */
function overlaps(start, length, count) {
    const step = length / count;
    return Array.from({ length: count }, (_, index) => {
        const [from, to] = [index * step, Math.min(length, (index + 1) * step)];
        const first = Math.floor(from);
        const shares = [];
        for (let at = first; at < to; at++) shares.push((Math.min(to, at + 1) - Math.max(from, at)) / step);
        return Object.assign(shares, { first: start + first });
    });
}

/** Ink (one byte a pixel, pitch wide, tall high) as an image of the network: bytes 0..maximum, rows of width pixels.
 *
 * how: "mnist" scales the ink to a box of 20/28 of the image and puts its centre of mass into the middle, as MNIST's
 * authors did; "box" scales it to the whole image and centres the box; "none" shrinks the drawing as it is. */
export function prepare(ink, pitch, tall, shape, how, maximum) {
    const [height, width] = shape;
    const image = new Float64Array(width * height);
    const box = how === "none" ? { left: 0, top: 0, width: pitch, height: tall } : inkBox(ink, pitch, tall);
    if (box) place(image, shape, how, ink, pitch, box);
    return Uint8Array.from(image, (value) => Math.round((Math.min(255, value) * maximum) / 255));
}

function place(image, [height, width], how, ink, pitch, box) {
    const share = how === "mnist" ? MNIST_BOX : 1;
    const scale = Math.min(Math.round(width * share) / box.width, Math.round(height * share) / box.height);
    const wide = how === "none" ? width : Math.max(1, Math.round(box.width * scale));
    const high = how === "none" ? height : Math.max(1, Math.round(box.height * scale));
    const small = resample(ink, pitch, box, wide, high);
    let [left, top] = [Math.floor((width - wide) / 2), Math.floor((height - high) / 2)];
    if (how === "mnist") [left, top] = massCentred(small, wide, high, width, height);
    for (let y = 0; y < high; y++) {
        for (let x = 0; x < wide; x++) {
            const [row, column] = [y + top, x + left];
            const inside = row >= 0 && row < height && column >= 0 && column < width;
            if (inside) image[row * width + column] = small[y * wide + x];
        }
    }
}

/** Where `small` goes so that the centre of its mass lies on pixel (width / 2, height / 2). */
function massCentred(small, wide, high, width, height) {
    let [mass, across, down] = [0, 0, 0];
    small.forEach((value, index) => {
        mass += value;
        across += value * (index % wide);
        down += value * Math.floor(index / wide);
    });
    return [Math.round(width / 2 - across / mass), Math.round(height / 2 - down / mass)];
}
