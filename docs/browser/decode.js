// Decode a PNG or JPEG file to 8-bit RGB with the decoders of the browser.

const PNG = [137, 80, 78, 71, 13, 10, 26, 10];
const MOST = 64_000_000;

/** What the first bytes say, in the words of an error if this page would decode them differently. */
function kind(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (PNG.every((value, place) => bytes[place] === value)) {
    if (bytes.length < 33) throw new Error("damaged or truncated");
    if (bytes[24] === 16) throw new Error("16-bit PNG: browsers round it differently; use galaxy-edge predict");
    check(view.getUint32(16), view.getUint32(20));
    return {type: "image/png", profile: chunks(view).includes("iCCP")};
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return {type: "image/jpeg", profile: jpeg(view)};
  throw new Error("not a PNG or JPEG file; galaxy-edge predict reads FITS, TIFF and others");
}
function check(width, height) {
  if (width * height > MOST) throw new Error(`too large: ${width} x ${height} pixels`);
}
function chunks(view) {
  const found = [];
  for (let place = 8; place + 8 <= view.byteLength; place += 12 + view.getUint32(place)) {
    found.push(String.fromCharCode(...[4, 5, 6, 7].map((one) => view.getUint8(place + one))));
    if (found.at(-1) === "IDAT") break;
  }
  return found;
}
/** Whether a JPEG file has a colour profile. */
function jpeg(view) {
  let profile = false;
  for (let place = 2; place + 10 <= view.byteLength && view.getUint8(place) === 0xff;) {
    const marker = view.getUint8(place + 1);
    if (marker === 0xff) { place += 1; continue; }
    if (marker === 0xda) break;
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) {
      check(view.getUint16(place + 7), view.getUint16(place + 5));
      if (view.getUint8(place + 9) > 3) throw new Error("a CMYK JPEG file: browsers convert it differently; use galaxy-edge predict");
    }
    if (marker === 0xe2 && view.getUint32(place + 4) === 0x4943435f) profile = true; // "ICC_"
    place += 2 + view.getUint16(place + 2);
  }
  return profile;
}

/** A file's pixels: {width, height, data}, three bytes a pixel, over black where it is transparent. */
export async function decoded(bytes) {
  const {type, profile} = kind(bytes);
  let bitmap;
  try {
    // A colour profile is converted to sRGB; without one, the numbers in the file are the colours.
    bitmap = await createImageBitmap(new Blob([bytes], {type}), {
      colorSpaceConversion: profile ? "default" : "none", imageOrientation: "from-image",
    });
  } catch {
    throw new Error("damaged or truncated");
  }
  const {width, height} = bitmap;
  check(width, height);
  const context = new OffscreenCanvas(width, height).getContext("2d", {alpha: false, willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    data[to++] = rgba[from];
    data[to++] = rgba[from + 1];
    data[to++] = rgba[from + 2];
  }
  return {width, height, data};
}
