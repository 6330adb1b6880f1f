// The page: files in, verdicts out.
import {Model} from "./model.js";

const byId = (id) => document.getElementById(id);
let model = null, runtime = "", rows = [], work = Promise.resolve();

/** An element with text and children; text is never parsed as HTML. */
function make(tag, kind, ...children) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...children);
  return element;
}
function say(text, bad = false) {
  byId("state").textContent = text;
  byId("state").classList.toggle("bad", bad);
}
const number = (value) => (value === null ? "-" : value.toFixed(3));
const colour = (name) => `var(--c${model.manifest.classes.indexOf(name) % 6})`;

function card(name, found, file) {
  const sky = make("div", "sky"), facts = make("div", "facts");
  const title = make("div", "name", name);
  title.title = name;
  facts.append(title);
  if (found.status === "error") {
    sky.append(make("p", "", found.error));
    facts.append(make("div", "verdict none", make("span", "", "error"), make("span", "", "-")));
  } else {
    const image = new Image();
    image.alt = "";
    image.src = URL.createObjectURL(file);
    image.onload = () => URL.revokeObjectURL(image.src);
    sky.append(image);
    const line = make("div", found.label ? "verdict" : "verdict none", make("span", "", found.label ?? "no label"), make("span", "", number(found.score)));
    if (found.label) line.style.setProperty("--colour", colour(found.label));
    const bar = make("div", "bar");
    for (const [label, share] of Object.entries(found.probabilities)) {
      const part = make("i", "");
      part.style.width = `${100 * share}%`;
      part.style.setProperty("--colour", colour(label));
      bar.append(part);
    }
    const why = found.status === "ok" ? "" : `${found.status.replaceAll("_", " ")}, `;
    facts.append(line, bar, make("div", "more", `${why}typicality ${number(found.typicality)}`));
  }
  return make("li", "", sky, facts);
}
function drawCounts() {
  const counts = {};
  for (const {label, status} of rows) {
    const key = label ?? status.replaceAll("_", " ");
    counts[key] = (counts[key] ?? 0) + 1;
  }
  byId("counts").textContent = Object.entries(counts).map(([key, count]) => `${count} ${key}`).join(", ");
}
async function classify(name, file) {
  let found;
  try {
    found = await model.verdict(new Uint8Array(await file.arrayBuffer()));
  } catch (error) {
    found = {status: "error", error: error.message, label: null, score: null, probabilities: {}, typicality: null};
  }
  rows.push({name, ...found});
  byId("results").hidden = false;
  byId("cards").append(card(name, found, file));
  drawCounts();
}
/** Files are classified one after the other, in their order. */
function add(files) {
  const list = [...files];
  work = work.then(async () => {
    for (const [place, file] of list.entries()) {
      say(`Classifying ${place + 1} of ${list.length} …`);
      await classify(file.name, file);
    }
    say("Ready.");
  });
  return work;
}

function cell(value) {
  let text = value === null || value === undefined ? "" : String(value);
  // A spreadsheet would run it: docs/rows.md.
  if (typeof value === "string" && /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
function csv() {
  const {classes, decision} = model.manifest;
  const own = classes.length > 2 ? classes : [];
  const head = ["id", "path", "status", "error", "label", "score", ...own.map((name) => `p_${name}`), "typicality", "threshold", "model", "model_sha256", "provider", "sha256"];
  const lines = rows.map((row) => [row.name, row.name, row.status, row.error, row.label, row.score, ...own.map((name) => row.probabilities[name]), row.typicality, decision.threshold, model.name, model.sha256, runtime, null]);
  return [head, ...lines].map((line) => `${line.map(cell).join(",")}\n`).join("");
}
function download() {
  const link = make("a", "");
  link.href = URL.createObjectURL(new Blob([csv()], {type: "text/csv"}));
  link.download = "verdicts.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}
function clear() {
  rows = [];
  byId("cards").replaceChildren();
  byId("results").hidden = true;
}

async function use(bytes, name) {
  const opened = await Model.open(bytes, name);
  const {examples, same, score, typicality} = await opened.check();
  model = opened;
  clear();
  const {classes, decision, preprocessing} = model.manifest;
  const facts = [
    ["File", name], ["Classes", classes.join(", ")], ["Threshold", decision.threshold ?? "none"],
    ["Limit of the typicality", decision.ood_limit ?? "none"], ["Input", `${preprocessing.size} x ${preprocessing.size} pixels`],
    ["Self-check", `${same} of ${examples} recorded examples compared; largest difference of a score ${score.toExponential(1)}, of a typicality ${typicality.toExponential(1)}`],
    ["SHA-256", model.sha256 ?? "not available without https"], ["Runtime", runtime],
  ];
  byId("about").replaceChildren(...facts.flatMap(([key, value]) => [make("dt", "", key), make("dd", "", String(value))]));
  for (const id of ["choose", "examples", "other"]) byId(id).disabled = false;
  say("Ready.");
}

byId("choose").addEventListener("click", () => byId("files").click());
byId("other").addEventListener("click", () => byId("model").click());
byId("files").addEventListener("change", () => { add(byId("files").files); byId("files").value = ""; });
byId("model").addEventListener("change", async () => {
  const [file] = byId("model").files;
  if (!file) return;
  byId("model").value = "";
  await work;
  try { await use(new Uint8Array(await file.arrayBuffer()), file.name); } catch (error) { say(`${file.name}: ${error.message}`, true); }
});
byId("download").addEventListener("click", download);
byId("clear").addEventListener("click", clear);
for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => {
  event.preventDefault();
  byId("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) byId("drop").classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  byId("drop").classList.remove("over");
  if (model) add(event.dataTransfer.files);
});

try {
  const build = await (await fetch("build.json")).json();
  runtime = `${build.runtime} (wasm)`;
  byId("examples").addEventListener("click", async () => {
    add(await Promise.all(build.examples.map(async (path) => new File([await (await fetch(path)).blob()], path.split("/").pop()))));
  });
  await Model.start(build.wasm, build.wasmIntegrity);
  const file = await fetch(build.model, {integrity: build.modelIntegrity});
  await use(new Uint8Array(await file.arrayBuffer()), build.model);
} catch (error) {
  say(`The model cannot be used: ${error.message}`, true);
}
globalThis.galaxyEdge = {get model() { return model; }, get rows() { return rows; }, csv};
