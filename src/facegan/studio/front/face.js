// What a face is, and the numbers that a generator makes it from.
//
// A face is a plain object, small enough for a link and for a PNG's metadata:
//   seed       whose latent it begins with, or
//   z, row     a latent (and scaled labels) of its own, base64 of float32
//   psi        truncation: the latent is drawn towards its mean by this factor
//   labels     name → value, as the dataset has it, in the place of the seed's own
//   edits      name of a direction → how far along it
//   parts      number of a component → how far along it
//   mix        { side, face }: maps of this side and finer are decided by another face

import { imageRandom } from "./random.js";

export function toBase64(floats) {
  let text = "";
  for (const byte of new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength)) {
    text += String.fromCharCode(byte);
  }
  return btoa(text);
}

export function bytesFromBase64(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

export function fromBase64(text) {
  return new Float32Array(bytesFromBase64(text).buffer);
}

/** A face without what is not set: so that equal faces are equal texts. */
export function tidy(face) {
  const found = {};
  if (face.z !== undefined) {
    found.z = face.z;
    if (face.row) found.row = face.row;
    if (face.from) found.from = face.from;
  } else {
    found.seed = face.seed;
  }
  if (face.psi !== undefined && face.psi !== 1) found.psi = face.psi;
  for (const group of ["labels", "edits", "parts"]) {
    const values = Object.entries(face[group] ?? {})
      .filter(([, value]) => Number.isFinite(value) && (group === "labels" || value !== 0))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    if (values.length) found[group] = Object.fromEntries(values);
  }
  if (face.mix) found.mix = { side: face.mix.side, face: tidy({ ...face.mix.face, mix: undefined }) };
  return found;
}

export function faceKey(face) {
  return JSON.stringify(tidy(face));
}

/** Whether an object that came from outside is a face of this generator; its tidy form or null. */
export function checkedFace(given, model) {
  if (typeof given !== "object" || given === null) return null;
  const number = (value, low, high) =>
    typeof value === "number" && Number.isFinite(value) && value >= low && value <= high;
  const face = {};
  if (typeof given.z === "string") {
    if (given.z.length > 4 * model.numbers * 2) return null;
    try {
      const z = fromBase64(given.z);
      if (z.length !== model.numbers || !z.every(Number.isFinite)) return null;
      if (given.row !== undefined && fromBase64(given.row).length !== model.labels.length) return null;
    } catch {
      return null;
    }
    face.z = given.z;
    if (given.row !== undefined) face.row = given.row;
    if (given.from === "photograph") face.from = given.from;
  } else if (Number.isSafeInteger(given.seed) && given.seed >= 0) {
    face.seed = given.seed;
  } else {
    return null;
  }
  if (given.psi !== undefined) {
    if (!number(given.psi, 0, 1)) return null;
    face.psi = given.psi;
  }
  const named = { labels: new Set(model.labels.map((label) => label.name)) };
  named.edits = new Set(model.directions.map((direction) => direction.name));
  named.parts = new Set(model.components.map((_, i) => String(i)));
  for (const group of ["labels", "edits", "parts"]) {
    for (const [name, value] of Object.entries(given[group] ?? {})) {
      // A name that this generator does not know is passed over: its directions may be others.
      if (named[group].has(name) && number(value, -1e6, 1e6)) (face[group] ??= {})[name] = value;
    }
  }
  if (given.mix && model.mixing.includes(given.mix.side)) {
    const other = checkedFace({ ...given.mix.face, mix: undefined }, model);
    if (other) face.mix = { side: given.mix.side, face: other };
  }
  return tidy(face);
}

/** The generator as the page knows it: what the server or the file says, with its tables decoded. */
export function readModel(about) {
  const vectors = (table) => (table ? fromBase64(table.vectors) : new Float32Array());
  const numbers = about.latent.size + about.latent.noise;
  const rows = (table, names) => {
    const all = vectors(table);
    const width = names.length ? all.length / names.length : 0;
    return names.map((name, i) => ({ name, vector: all.subarray(i * width, (i + 1) * width) }));
  };
  const directions = rows(about.directions, about.directions?.names ?? []);
  // What +1 of each does to every reading, measured on steps upwards and on steps downwards.
  directions.forEach((direction, i) => {
    direction.up = about.directions.up[i];
    direction.down = about.directions.down[i];
  });
  const parts = Array.from({ length: about.components?.count ?? 0 }, (_, i) => `${i + 1}`);
  return {
    ...about,
    numbers,
    mixing: about.mixing ?? [],
    guesser: null,
    directions,
    components: rows(about.components, parts),
    rows: about.label_rows ? fromBase64(about.label_rows.vectors) : null,
    drawn: new Map(),
  };
}

/** The latent and the labels that facegan draws for a seed. */
export function drawFace(seed, model) {
  let found = model.drawn.get(seed);
  if (found) return found;
  const random = imageRandom(seed);
  const { size, noise, distribution } = model.latent;
  const z = new Float32Array(model.numbers);
  if (distribution === "normal") z.set(random.normal(size));
  else z.set(random.uniform(size).map((value) => Math.fround(value * 2) - 1));
  if (noise) z.set(random.normal(noise), size);
  let row = null;
  const width = model.labels.length;
  if (width) {
    const count = model.rows.length / width;
    const place = Math.min(Math.trunc(random.uniform1() * count), count - 1);
    row = model.rows.subarray(place * width, (place + 1) * width);
  }
  found = { z, row };
  if (model.drawn.size > 5000) model.drawn.clear();
  model.drawn.set(seed, found);
  return found;
}

/** Move the beginning of z along vectors: a normal latent keeps its length, as nearly all that
 * the generator was trained with have about the same; a uniform one stays within [−1, 1]. */
function move(z, steps, { size, distribution }) {
  if (!steps.length) return;
  const length = () => Math.sqrt(z.subarray(0, size).reduce((sum, value) => sum + value * value, 0));
  const before = length();
  for (const [vector, amount] of steps) {
    for (let i = 0; i < vector.length; i++) z[i] += amount * vector[i];
  }
  const scale = distribution === "normal" ? before / Math.max(length(), 1e-12) : 1;
  for (let i = 0; i < size; i++) {
    z[i] = distribution === "normal" ? z[i] * scale : Math.max(-1, Math.min(1, z[i]));
  }
}

/** What enters the network for a face: { z: float32 [Z], row: float32 [L] or null, mix }, where
 * mix is the same of the face that is mixed in, with its share at each resolution, or null. */
export function inputsOf(face, model) {
  const own = plainInputs(face, model);
  if (!face.mix) return { ...own, mix: null };
  const share = Float32Array.from(model.mixing, (side) => (side >= face.mix.side ? 1 : 0));
  return { ...own, mix: { ...plainInputs(face.mix.face, model), share } };
}

function plainInputs(face, model) {
  const own = face.z === undefined ? drawFace(face.seed, model) : null;
  const begin = own ? own.z : fromBase64(face.z);
  const psi = Math.fround(face.psi ?? 1);
  const z = Float32Array.from(begin, (value) => Math.fround(value * psi));
  const wanted = (list) => list.filter(([, amount]) => amount !== 0);
  move(z, wanted(model.directions.map(({ name, vector }) => [vector, face.edits?.[name] ?? 0])), model.latent);
  move(z, wanted(model.components.map(({ vector }, i) => [vector, face.parts?.[i] ?? 0])), model.latent);
  if (!model.labels.length) return { z, row: null };
  const row = new Float32Array(model.labels.length).fill(NaN);
  if (own) row.set(own.row);
  else if (face.row) row.set(fromBase64(face.row));
  model.labels.forEach((label, i) => {
    const value = face.labels?.[label.name];
    if (value !== undefined) row[i] = (value - label.mean) / label.std;
  });
  return { z, row };
}

/** A label's value, as the dataset has it, of what enters the network; null where unknown. */
export function labelValue(inputs, label, i) {
  const value = inputs.row[i];
  return Number.isNaN(value) ? null : value * label.std + label.mean;
}

/** Between vectors, along the sphere (White 2016, arXiv:1609.04468), their lengths between, too. */
function slerp(a, b, share) {
  const length = (x) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  const [one, two] = [length(a), length(b)];
  let dot = 0;
  for (let i = 0; i < a.length; i++) dot += (a[i] / Math.max(one, 1e-12)) * (b[i] / Math.max(two, 1e-12));
  const angle = Math.acos(Math.max(-1, Math.min(1, dot))), sine = Math.sin(angle);
  // Where both point the same way, or in opposite ways, there is no one way along a sphere.
  if (sine < 1e-4) return a.map((value, i) => (1 - share) * value + share * b[i]);
  const size = (1 - share) * one + share * two;
  const [from, to] = [Math.sin((1 - share) * angle) / sine / one, Math.sin(share * angle) / sine / two];
  return a.map((value, i) => size * (from * value + to * b[i]));
}

/** Between two inputs, as facegan.generation.inputs walks. */
export function between(a, b, share, model) {
  const plain = plainlyBetween(a, b, share, model);
  if (!a.mix && !b.mix) return { ...plain, mix: null };
  // A face of which nothing is mixed in lends no direction: the other's stays, and fades.
  const from = a.mix ?? { ...b.mix, share: b.mix.share.map(() => 0) };
  const to = b.mix ?? { ...a.mix, share: a.mix.share.map(() => 0) };
  const shares = from.share.map((value, i) => (1 - share) * value + share * to.share[i]);
  return { ...plain, mix: { ...plainlyBetween(from, to, share, model), share: shares } };
}

/** The noise goes on a sphere of its own. */
function plainlyBetween(a, b, share, { latent: { size, noise, distribution } }) {
  const straight = (x, y) => x.map((value, i) => (1 - share) * value + share * y[i]);
  const z = new Float32Array(a.z.length);
  const heads = [a.z.subarray(0, size), b.z.subarray(0, size)];
  z.set(distribution === "normal" ? slerp(...heads, share) : straight(...heads));
  if (noise) z.set(slerp(a.z.subarray(size), b.z.subarray(size), share), size);
  // A label that one of the two does not know stays what it is in the nearer one.
  const row = a.row && a.row.map((value, i) => {
    if (Number.isNaN(value) || Number.isNaN(b.row[i])) return share < 0.5 ? value : b.row[i];
    return (1 - share) * value + share * b.row[i];
  });
  return { z, row };
}

/** Begins and ends slowly, in [0, 1]. */
export function eased(share) {
  return share * share * (3 - 2 * share);
}

/** What a face is called: `Seed 7`, or `Photograph`. */
export function faceName(face) {
  if (face.z === undefined) return `Seed ${face.seed}`;
  return face.from === "photograph" ? "Photograph" : "Latent";
}

/** What was changed of it: `Smiling +1.5, truncation 0.7`. */
export function faceChanges(face) {
  const signed = (value) => `${value > 0 ? "+" : "−"}${Math.abs(Number(value.toFixed(2)))}`;
  const words = Object.entries(face.edits ?? {}).map(([name, v]) => `${spoken(name)} ${signed(v)}`);
  words.push(...Object.entries(face.parts ?? {}).map(([i, v]) => `component ${Number(i) + 1} ${signed(v)}`));
  words.push(...Object.entries(face.labels ?? {}).map(([name, v]) => `${spoken(name)} = ${Number(v.toFixed(2))}`));
  if (face.psi !== undefined && face.psi !== 1) words.push(`truncation ${face.psi}`);
  if (face.mix) words.push(`${faceName(face.mix.face)} from ${face.mix.side} px on`);
  return words.join(", ");
}

/** `Wearing_Hat` → `Wearing hat`. */
export function spoken(name) {
  const text = name.replaceAll("_", " ").trim().toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
