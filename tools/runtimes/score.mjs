// Score images with onnxruntime-web (wasm). tools/other-runtimes copies this file next to its
// node_modules and runs it:  node score.mjs job.json
// Writes the version, then one line of JSON per model file: {"scores": [...], "typicality": [...]}
// or {"error": "..."}.
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web/wasm";

ort.env.wasm.numThreads = 1;
console.log(JSON.stringify(ort.env.versions.web));
for (const { model, pixels, shape, output, typicality } of JSON.parse(readFileSync(process.argv[2]))) {
  try {
    const session = await ort.InferenceSession.create(readFileSync(model));
    const image = new ort.Tensor("uint8", new Uint8Array(readFileSync(pixels)), shape);
    const found = await session.run({ image });
    const answer = { scores: Array.from(found[output].data) };
    if (typicality) answer.typicality = Array.from(found[typicality].data);
    console.log(JSON.stringify(answer));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message ?? error) }));
  }
}
