// Files that the page writes and reads: PNG with its metadata, APNG, zip.

let crcTable = null;

export function crc32(bytes) {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const utf8 = new TextEncoder();
const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

function uint32(...values) {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, i) => new DataView(bytes.buffer).setUint32(4 * i, value));
  return bytes;
}

function chunk(type, ...parts) {
  const body = joined([utf8.encode(type), ...parts]);
  return joined([uint32(body.length - 4), body, uint32(crc32(body))]);
}

/** Text under a keyword, in UTF-8 (PNG's iTXt). */
function textChunk(keyword, text) {
  return chunk("iTXt", utf8.encode(keyword), Uint8Array.of(0, 0, 0, 0, 0), utf8.encode(text));
}

async function deflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The rows of an ImageData as PNG compresses them: RGB, each row less the pixel before. */
async function packedPixels({ data, width, height }) {
  const rows = new Uint8Array(height * (1 + 3 * width));
  for (let y = 0, to = 0, from = 0; y < height; y++) {
    rows[to++] = 1;
    for (let x = 0; x < width; x++, from += 4) {
      for (let c = 0; c < 3; c++) rows[to++] = data[from + c] - (x ? data[from + c - 4] : 0);
    }
  }
  return deflated(rows);
}

function header({ width, height }) {
  return chunk("IHDR", uint32(width, height), Uint8Array.of(8, 2, 0, 0, 0));
}

/** A PNG file of an ImageData, with texts by keyword. */
export async function pngBytes(image, texts = {}) {
  return joined([
    SIGNATURE,
    header(image),
    ...Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text)),
    chunk("IDAT", await packedPixels(image)),
    chunk("IEND"),
  ]);
}

/** An animated PNG of equal ImageDatas, shown for so many milliseconds each, without end. */
export async function apngBytes(images, milliseconds, texts = {}) {
  const parts = [SIGNATURE, header(images[0]), chunk("acTL", uint32(images.length, 0))];
  parts.push(...Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text)));
  let sequence = 0;
  for (const [i, image] of images.entries()) {
    const timing = Uint8Array.of(milliseconds >> 8, milliseconds & 255, 1000 >> 8, 1000 & 255, 0, 0);
    parts.push(chunk("fcTL", uint32(sequence++, image.width, image.height, 0, 0), timing));
    const packed = await packedPixels(image);
    parts.push(i === 0 ? chunk("IDAT", packed) : chunk("fdAT", uint32(sequence++), packed));
  }
  return joined([...parts, chunk("IEND")]);
}

/** The texts of a PNG file by keyword; null where the bytes are no PNG. */
export async function pngTexts(bytes) {
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = {};
  const latin = new TextDecoder("latin1"), unicode = new TextDecoder();
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = latin.decode(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    const end = body.indexOf(0);
    if (type === "tEXt" && end > 0) {
      found[latin.decode(body.subarray(0, end))] = latin.decode(body.subarray(end + 1));
    } else if (type === "iTXt" && end > 0 && body[end + 1] === 0) {
      const language = body.indexOf(0, end + 3);
      const translated = body.indexOf(0, language + 1);
      found[latin.decode(body.subarray(0, end))] = unicode.decode(body.subarray(translated + 1));
    }
    if (type === "IEND") break;
    at += 12 + length;
  }
  return found;
}

/** A zip file of uncompressed members: [[name, bytes], …]. */
export function zipBytes(members) {
  const parts = [], directory = [];
  let offset = 0;
  const record = (size, fill) => {
    const bytes = new Uint8Array(size);
    fill(new DataView(bytes.buffer));
    return bytes;
  };
  for (const [name, content] of members) {
    const encoded = utf8.encode(name), sum = crc32(content);
    const common = (view, at) => {
      view.setUint16(at, 20, true);
      view.setUint16(at + 2, 0x0800, true); // names are UTF-8
      view.setUint16(at + 8, 0x21, true); // 1 January 1980: equal faces, equal files
      view.setUint32(at + 10, sum, true);
      view.setUint32(at + 14, content.length, true);
      view.setUint32(at + 18, content.length, true);
      view.setUint16(at + 22, encoded.length, true);
    };
    const local = record(30, (view) => {
      view.setUint32(0, 0x04034b50, true);
      common(view, 4);
    });
    const central = record(46, (view) => {
      view.setUint32(0, 0x02014b50, true);
      view.setUint16(4, 20, true);
      common(view, 6);
      view.setUint32(42, offset, true);
    });
    parts.push(local, encoded, content);
    directory.push(central, encoded);
    offset += local.length + encoded.length + content.length;
  }
  const listed = joined(directory);
  const end = record(22, (view) => {
    view.setUint32(0, 0x06054b50, true);
    view.setUint16(8, members.length, true);
    view.setUint16(10, members.length, true);
    view.setUint32(12, listed.length, true);
    view.setUint32(16, offset, true);
  });
  return joined([...parts, listed, end]);
}

/** Hand bytes to the person as a file. */
export function saveFile(bytes, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
