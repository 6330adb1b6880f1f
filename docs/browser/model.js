// A model file in this browser: onnxruntime-web (wasm, one thread), the file's own preprocessing and
// its own decision. Nothing leaves the page.
import * as ort from "./vendor/ort.wasm.bundle.min.mjs";
import {decoded} from "./decode.js";
import {verdict} from "./decision.js";
import {manifest} from "./metadata.js";
import {fit} from "./resize.js";

const HALF = 0.005, TOLERANCE = 0.001;

export async function sha256(bytes) {
  // Browsers have it on https and on this machine only.
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (one) => one.toString(16).padStart(2, "0")).join("");
}

export class Model {
  /** Start the runtime with its wasm file, whose digest the build has recorded. */
  static async start(wasm, integrity) {
    const answer = await fetch(wasm, {integrity});
    if (!answer.ok) throw new Error(`${wasm} is missing`);
    ort.env.wasm.wasmBinary = await answer.arrayBuffer();
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
  }

  static async open(bytes, name) {
    const model = new Model();
    model.name = name;
    model.manifest = manifest(bytes);
    model.sha256 = await sha256(bytes);
    model.session = await ort.InferenceSession.create(bytes);
    return model;
  }

  /** The network's input for a file: uint8 (size, size, 3). */
  async pixels(file) {
    return fit(await decoded(file), this.manifest.preprocessing).data;
  }

  /** The outputs for a batch of inputs: [{scores, typicality}]. */
  async run(inputs) {
    const {size} = this.manifest.preprocessing;
    const {outputs, classes} = this.manifest;
    const batch = new Uint8Array(inputs.length * size * size * 3);
    inputs.forEach((pixels, place) => batch.set(pixels, place * size * size * 3));
    const found = await this.session.run({image: new ort.Tensor("uint8", batch, [inputs.length, size, size, 3])});
    const width = classes.length === 2 ? 1 : classes.length;
    const scores = found[outputs.scores].data;
    const usual = outputs.typicality === null ? null : found[outputs.typicality].data;
    return inputs.map((_, place) => ({
      scores: Array.from(scores.slice(place * width, (place + 1) * width)),
      typicality: usual === null ? null : usual[place],
    }));
  }

  /** The verdict on a file. */
  async verdict(file) {
    const [{scores, typicality}] = await this.run([await this.pixels(file)]);
    return verdict(this.manifest, scores, typicality);
  }

  /**
   * Score the recorded examples of the file, from their PNG files: how many decode to the recorded
   * pixels, and how much the scores and typicalities of these differ. An error if they differ by
   * more than the file allows, or if none can be compared.
   */
  async check() {
    const {golden, quantization} = this.manifest;
    let same = 0, score = 0, usual = 0;
    for (const example of golden) {
      const png = Uint8Array.from(atob(example.png), (one) => one.charCodeAt(0));
      const pixels = await this.pixels(png);
      const digest = await sha256(pixels);
      if (digest !== null && digest !== example.input_sha256) continue;
      same += 1;
      const [found] = await this.run([pixels]);
      found.scores.forEach((one, place) => { score = Math.max(score, Math.abs(one - example.scores[place])); });
      if (example.typicality !== undefined) usual = Math.max(usual, Math.abs(found.typicality - example.typicality));
    }
    if (!same) throw new Error("this browser decodes images differently (it may protect against fingerprinting), so its verdicts would not be those of the model");
    const most = quantization.precision === "fp16" ? HALF : TOLERANCE;
    if (!(score <= most)) throw new Error(`this browser computes other scores than those recorded (difference ${score.toPrecision(2)})`);
    return {examples: golden.length, same, score, typicality: usual};
  }
}
