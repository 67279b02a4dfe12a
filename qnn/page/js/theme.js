// SPDX-License-Identifier: MIT
/** Light or dark: as the system has it, until the button says otherwise. */
import { colour, find } from "./dom.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : DARK.matches;
}

/** Let the button work; changed() is called when colours change. */
export function setUpTheme(changed) {
    const button = find("theme");
    const name = () => (button.textContent = isDark() ? "Light" : "Dark");
    button.addEventListener("click", () => {
        document.documentElement.dataset.theme = isDark() ? "light" : "dark";
        name();
        changed();
    });
    DARK.addEventListener("change", () => {
        name();
        changed();
    });
    name();
}

/** Red, green and blue of the ink, 0 to 255. */
export function inkColour() {
    return colour("--ink").slice(1).match(/../g).map((part) => parseInt(part, 16));
}
