// The manifest of a model file: ONNX metadata, which onnxruntime-web does not give.
// A model is a message of Protocol Buffers; its field 14 has pairs of a key (1) and a value (2).

const METADATA = 14;
const PREFIX = "galaxy_edge.";
const utf8 = new TextDecoder("utf-8", {fatal: true});

/** The fields of a message: [number, bytes]; numbers and fixed-size fields are passed over. */
function* fields(bytes) {
  let place = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (place >= bytes.length || scale > 2 ** 63) throw new Error("the file is damaged");
      const byte = bytes[place++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (place < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) varint();
    else if (kind === 1) place += 8;
    else if (kind === 5) place += 4;
    else if (kind === 2) {
      const length = varint();
      if (place + length > bytes.length) throw new Error("the file is damaged");
      yield [Math.floor(tag / 8), bytes.subarray(place, place + length)];
      place += length;
    } else throw new Error("the file is damaged, or is not an ONNX file");
  }
}

/** The metadata of an ONNX file: key to text. */
export function metadata(bytes) {
  const found = {};
  for (const [number, entry] of fields(bytes)) {
    if (number !== METADATA) continue;
    const pair = Object.fromEntries(fields(entry));
    found[utf8.decode(pair[1])] = utf8.decode(pair[2] ?? new Uint8Array());
  }
  return found;
}

/** What a model file says of itself; an error if this page cannot follow it. */
export function manifest(bytes) {
  const found = metadata(bytes);
  const schema = found[`${PREFIX}schema`];
  if (schema === undefined) throw new Error("the file has no galaxy-edge manifest; make it with `galaxy-edge export`");
  if (schema !== "3") throw new Error(`the manifest has schema ${schema}, and this page reads 3; export the file again`);
  const section = (name) => JSON.parse(found[PREFIX + name]);
  const document = {};
  for (const name of ["classes", "outputs", "decision", "preprocessing", "quantization", "golden"])
    document[name] = section(name);
  const known = {
    decision: ["threshold", "abstain", "ood_limit", "open_class"],
    outputs: ["scores", "typicality"],
    preprocessing: ["size", "resize", "working_size", "reducing_gap", "colour", "stretch"],
  };
  for (const [name, parts] of Object.entries(known))
    for (const part of Object.keys(document[name]))
      if (!parts.includes(part)) throw new Error(`this page does not know the step ${part} of the file`);
  return document;
}
