// Pages that the programs write, in headless Chromium at the width of a phone and of a screen, light and dark: axe-core finds no
// fault in them that it calls serious or critical. Run by tests/accessibility.sh:
//     node tests/accessibility.mjs FOLDER-OF-MODULES PAGE…
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const [modules, ...pages] = process.argv.slice(2);
if (pages.length === 0) throw new Error("expected a folder of modules and at least one page");
const require = createRequire(path.resolve(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
let faults = 0;
for (const page of pages) for (const colorScheme of ["light", "dark"]) for (const width of [390, 1280]) {
    // The pages forbid every script, axe's too.
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
    const tab = await context.newPage();
    await tab.goto("file://" + path.resolve(page));
    await tab.evaluate(() => document.querySelectorAll("details").forEach(details => { details.open = true; }));
    await tab.evaluate(axe);
    const { passes, violations } = await tab.evaluate(() => axe.run(document));
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth);
    if (passes.length === 0) throw new Error(`${page}: axe looked at nothing`);
    console.log(`${page}, ${colorScheme}, ${width} px: ${passes.length} rules hold, ${violations.length} do not`);
    if (wide > width) { faults += 1; console.log(`  the page is ${wide} px wide`); }
    for (const { id, impact, help, nodes } of violations) {
        if (impact === "serious" || impact === "critical") faults += 1;
        console.log(`  ${impact}: ${id}: ${help}: ${nodes.map(node => node.target.join(" ")).join(", ")}`);
    }
    await context.close();
}
await browser.close();
process.exit(faults === 0 ? 0 : 1);
