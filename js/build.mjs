// Bundles every src/<stem>/index.js into ../embedtune_nb/static/<stem>.js and the style sheets
// beside it (after shared/theme.css) into <stem>.css. MANIFEST.json records the hashes of what went
// in and what came out, so that a test without Node can tell whether the committed bundles are stale.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(HERE, "src");
const STATIC = join(HERE, "..", "embedtune_nb", "static");
const RECIPE = ["build.mjs", "package.json", "package-lock.json"];

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const posix = (path) => path.split(sep).join("/");

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .filter((path) => /\.(js|css|glsl)$/.test(path))
    .sort();
}

const stems = () =>
  readdirSync(SOURCES)
    .filter((stem) => existsSync(join(SOURCES, stem, "index.js")))
    .sort();

async function buildStem(stem) {
  const folder = join(SOURCES, stem);
  const bundle = await esbuild.build({
    entryPoints: [join(folder, "index.js")],
    absWorkingDir: HERE,
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2020",
    charset: "utf8",
    legalComments: "none",
    loader: { ".glsl": "text" },
  });
  const sheets = [join(SOURCES, "shared", "theme.css"), ...filesBelow(folder).filter((p) => p.endsWith(".css"))];
  const css = await esbuild.build({
    stdin: {
      contents: sheets.map((path) => `@import ${JSON.stringify(`./${posix(relative(SOURCES, path))}`)};`).join("\n"),
      resolveDir: SOURCES,
      loader: "css",
    },
    absWorkingDir: HERE,
    bundle: true,
    minify: true,
    write: false,
    charset: "utf8",
    legalComments: "none",
  });
  return { [`${stem}.css`]: css.outputFiles[0].text, [`${stem}.js`]: bundle.outputFiles[0].text };
}

// What is bundled keeps its licence: the text travels with the bundles.
function licences() {
  const { dependencies } = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));
  return Object.keys(dependencies)
    .sort()
    .map((name) => `${name} ${dependencies[name]}\n\n${readFileSync(join(HERE, "node_modules", name, "LICENSE"), "utf8").trim()}\n`)
    .join("\n");
}

async function build() {
  mkdirSync(STATIC, { recursive: true });
  const outputs = {};
  for (const stem of stems()) {
    for (const [name, text] of Object.entries(await buildStem(stem))) {
      writeFileSync(join(STATIC, name), text);
      outputs[name] = sha256(text);
    }
  }
  outputs["THIRD_PARTY.txt"] = sha256(licences());
  writeFileSync(join(STATIC, "THIRD_PARTY.txt"), licences());
  const inputs = [...RECIPE.map((name) => join(HERE, name)), ...filesBelow(SOURCES)];
  const sources = Object.fromEntries(
    inputs.map((path) => [posix(relative(HERE, path)), sha256(readFileSync(path))]),
  );
  writeFileSync(join(STATIC, "MANIFEST.json"), JSON.stringify({ sources, outputs }, null, 2) + "\n");
  return outputs;
}

const report = (outputs) => console.log(`built ${Object.keys(outputs).join(", ")}`);

report(await build());
if (process.argv.includes("--watch")) {
  let timer;
  watch(SOURCES, { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => build().then(report, (error) => console.error(error.message)), 50);
  });
  console.log("watching src/ (stop with Ctrl-C)");
}
