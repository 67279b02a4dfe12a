// SPDX-License-Identifier: MIT
/** Bundles what of esptool-js an ESP32-C3 needs, and the licences of what is in it. */
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

const OUT = "../../qnn/page/vendor/";
const KEPT = /[\\/](targets[\\/](esp32|esp32c3|rom|index)|image[\\/](index|base|esp32|others))\.js$/;
const BUNDLED = ["esptool-js", "atob-lite"];

/** Other chips' classes are empty, so that their ids match nothing, and their flasher stubs are left out. */
const onlyOneChip = {
    name: "only-one-chip",
    setup(bundler) {
        bundler.onResolve({ filter: /^pako$/ }, () => ({ path: new URL("pako.js", import.meta.url).pathname }));
        bundler.onLoad({ filter: /stub_flasher.*\.json$/ }, ({ path }) =>
            path.endsWith("esp32c3.json") ? undefined : { contents: "{}", loader: "json" },
        );
        bundler.onLoad({ filter: /esptool-js.lib.(targets|image).\w+\.js$/ }, ({ path }) => {
            if (KEPT.test(path)) return undefined;
            const names = [...readFileSync(path, "utf8").matchAll(/export class (\w+)/g)].map((found) => found[1]);
            return { contents: names.map((name) => `export class ${name} {}`).join("\n"), loader: "js" };
        });
    },
};

const about = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
const licence = (name) => {
    const file = name === "esptool-js" ? "LICENSE" : "LICENSE.md";
    return `${name} ${about(name).version} (${about(name).license})\n\n${readFileSync(`node_modules/${name}/${file}`, "utf8")}`;
};

await build({
    entryPoints: ["entry.js"],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2020",
    charset: "ascii",
    legalComments: "none",
    banner: { js: `/* esptool-js ${about("esptool-js").version}, Espressif Systems, Apache-2.0; changed: only the ESP32-C3, no compression. See LICENCES.txt. */` },
    plugins: [onlyOneChip],
    outfile: `${OUT}esptool.js`,
});
writeFileSync(`${OUT}LICENCES.txt`, BUNDLED.map(licence).join("\n\n"));
