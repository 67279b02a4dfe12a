// SPDX-License-Identifier: MIT
/** Unpacks the page's script and runs it; the page's policy knows its hash, so no other text can take its place. */
(async () => {
    const place = (name) => document.getElementById(name);
    try {
        const packed = Uint8Array.from(atob(place("script-data").textContent), (letter) => letter.charCodeAt(0));
        const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
        const script = document.createElement("script");
        script.type = "module";
        script.textContent = await new Response(stream).text();
        document.head.append(script);
    } catch (error) {
        const old = typeof DecompressionStream === "undefined" || typeof WebAssembly === "undefined";
        const advice = "this browser is too old for it (Chrome 80, Firefox 113 or Safari 16.4 are new enough)";
        place("loading").textContent = `The page does not work: ${old ? advice : error}`;
    }
})();
