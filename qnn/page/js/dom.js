// SPDX-License-Identifier: MIT
/** Elements: finding them, making them, numbers as people read them. */

/** The element with the id `name`. */
export function find(name) {
    return document.getElementById(name);
}

/** An element: its tag, its properties (data-, aria- and role as attributes), its children (elements or texts). */
export function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (/^(data-|aria-|role$)/.test(name)) element.setAttribute(name, value);
        else element[name] = value;
    }
    element.append(...children);
    return element;
}

/** Show or hide the element with the id `name`. */
export function show(name, wanted) {
    find(name).hidden = !wanted;
}

/** Set the text of the element with the id `name`, if it differs: screen readers announce every change. */
export function say(name, text) {
    const element = find(name);
    if (element.textContent !== text) element.textContent = text;
}

/** 1234567 as 1,234,567. */
export function grouped(number) {
    return number.toLocaleString("en-US");
}

/** A number of units of 10^-decimals, as text; decimals may be negative. */
export function decimal(number, decimals) {
    return (number / 10 ** decimals).toFixed(Math.max(0, decimals));
}

/** The colour that the style gives to the custom property `name`. */
export function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A function that calls `work` once in the next frame, however often it is called until then. */
export function oncePerFrame(work) {
    let waiting = false;
    return () => {
        if (waiting) return;
        waiting = true;
        requestAnimationFrame(() => {
            waiting = false;
            work();
        });
    };
}
