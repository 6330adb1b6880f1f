// Resize 8-bit RGB as Pillow 13 does, to the last bit: whole-number averages (Image.reduce), then two
// passes of a filter in fixed-point arithmetic (Image.resize). An image is {width, height, data},
// with three bytes a pixel.

const BITS = 22;

function sinc(x) {
  if (x === 0) return 1;
  return Math.sin(x * Math.PI) / (x * Math.PI);
}
const FILTERS = {
  bilinear: {support: 1, at: (x) => Math.max(0, 1 - Math.abs(x))},
  lanczos: {support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)},
};

/** The pixels that make each output pixel, and their weights in fixed point. */
function weights(size, length, out, filter) {
  const scale = length / out;
  const stretch = Math.max(scale, 1);
  const support = filter.support * stretch;
  return Array.from({length: out}, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support + 0.5), size);
    const found = new Float64Array(last - first);
    let sum = 0;
    for (let one = first; one < last; one += 1) sum += found[one - first] = filter.at((one - centre + 0.5) * (1 / stretch));
    const whole = Int32Array.from(found, (weight) => {
      const share = sum === 0 ? weight : weight / sum;
      return Math.trunc((share < 0 ? -0.5 : 0.5) + share * 2 ** BITS);
    });
    return [first, whole];
  });
}
const byte = (sum) => Math.min(Math.max(sum >> BITS, 0), 255);

function across(image, plan) {
  const {width, height, data} = image;
  const out = new Uint8ClampedArray(plan.length * height * 3);
  for (let row = 0, to = 0; row < height; row += 1)
    for (const [first, whole] of plan)
      for (let band = 0; band < 3; band += 1, to += 1) {
        let sum = 1 << (BITS - 1);
        for (let one = 0, from = (row * width + first) * 3 + band; one < whole.length; one += 1, from += 3)
          sum = (sum + data[from] * whole[one]) | 0;
        out[to] = byte(sum);
      }
  return {width: plan.length, height, data: out};
}
function down(image, plan) {
  const line = image.width * 3;
  const out = new Uint8ClampedArray(plan.length * line);
  plan.forEach(([first, whole], row) => {
    for (let column = 0; column < line; column += 1) {
      let sum = 1 << (BITS - 1);
      for (let one = 0, from = first * line + column; one < whole.length; one += 1, from += line)
        sum = (sum + image.data[from] * whole[one]) | 0;
      out[row * line + column] = byte(sum);
    }
  });
  return {width: image.width, height: plan.length, data: out};
}

/** Pillow divides by a product with a whole number, from a division in single precision. */
function average(sum, count) {
  const factor = Math.trunc(Math.fround(2 ** 32 / (256 * count)));
  return Math.floor(((sum + Math.floor(count / 2)) * factor) / 2 ** 24);
}
function reduced(image, horizontal, vertical) {
  const {width, height, data} = image;
  const out = {width: Math.ceil(width / horizontal), height: Math.ceil(height / vertical)};
  out.data = new Uint8ClampedArray(out.width * out.height * 3);
  for (let row = 0, to = 0; row < out.height; row += 1) {
    const bottom = Math.min((row + 1) * vertical, height);
    for (let column = 0; column < out.width; column += 1) {
      const right = Math.min((column + 1) * horizontal, width);
      for (let band = 0; band < 3; band += 1, to += 1) {
        let sum = 0;
        for (let y = row * vertical; y < bottom; y += 1)
          for (let x = column * horizontal; x < right; x += 1) sum += data[(y * width + x) * 3 + band];
        out.data[to] = average(sum, (right - column * horizontal) * (bottom - row * vertical));
      }
    }
  }
  return out;
}

function nearest(image, width, height) {
  const places = (length, out) => {
    const step = length / out;
    // Added up, as Pillow does: the sum of the steps is not their product.
    const found = [];
    for (let at = step * 0.5; found.length < out; at += step) found.push(Math.min(Math.trunc(at), length - 1));
    return found;
  };
  const columns = places(image.width, width);
  const out = {width, height, data: new Uint8ClampedArray(width * height * 3)};
  let to = 0;
  for (const row of places(image.height, height))
    for (const column of columns)
      for (let band = 0; band < 3; band += 1) out.data[to++] = image.data[(row * image.width + column) * 3 + band];
  return out;
}

/** Image.resize(size, resample, reducing_gap=gap); gap may be null. */
export function resized(image, width, height, name, gap = null) {
  if (name === "nearest") return nearest(image, width, height);
  const filter = FILTERS[name];
  let [across_, down_] = [image.width, image.height];
  if (gap !== null) {
    const horizontal = Math.trunc(image.width / width / gap) || 1;
    const vertical = Math.trunc(image.height / height / gap) || 1;
    if (horizontal > 1 || vertical > 1) {
      // The last block may be smaller, so that the image ends within the last pixel.
      across_ = Math.fround(image.width / horizontal);
      down_ = Math.fround(image.height / vertical);
      image = reduced(image, horizontal, vertical);
    }
  }
  const passes = [];
  if (width !== image.width || across_ !== width) passes.push([across, weights(image.width, across_, width, filter)]);
  if (height !== image.height || down_ !== height) passes.push([down, weights(image.height, down_, height, filter)]);
  // Since Pillow 13 the pass that makes the image smaller comes first; each pass rounds to 8 bits.
  const lost = image.height - height;
  if (lost > 0 && lost > (image.width - width) * 2) passes.reverse();
  return passes.reduce((found, [pass, plan]) => pass(found, plan), image);
}

/** From an image of any size to the network's input, as `galaxy_edge.inputs.images.fit`. */
export function fit(image, {size, resize, working_size: working, reducing_gap: gap = null}) {
  if (working !== null) {
    const [width, height] = [Math.min(image.width, working), Math.min(image.height, working)];
    if (width !== image.width || height !== image.height) image = resized(image, width, height, "lanczos", gap);
  }
  if (image.width !== size || image.height !== size) image = resized(image, size, size, resize, gap);
  return image;
}
