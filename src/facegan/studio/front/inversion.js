// The latent of a given picture, found in the page: a first guess by the linear map that comes with
// the generator, then Gauss-Newton steps. No gradients are needed: what a picture changes by along
// each number of the latent is seen by drawing it a little further along.

import { bytesFromBase64, fromBase64 } from "./face.js";

// Steps; how far a latent is moved to see what changes; and how strongly latents are held near 0, as
// a share of what one of their numbers changes in the picture on average.
const STEPS = 4, MOVED = 0.25, HELD = 0.02;
// Of a Gauss-Newton step, what is tried; a latent may become so much longer than usual.
const TRIED = [1, 0.5, 0.25], LONGEST = 1.15;
// First guesses get so much of a usual latent's length, as those of facegan.editing.encoder.
const GUESSED = 0.8;
// Pictures are compared at this side at most.
const COMPARED = 64;
// For longer latents a step would take minutes, and the first guess is all.
const MOST_NUMBERS = 256;
// Of the difference of two of the generator's faces: what differs by more is not held.
export const NOT_HELD = 0.5;

/** The map that came with the generator, decoded; null where there is none. */
export function readGuesser(about) {
  if (!about) return null;
  const half = new Uint16Array(bytesFromBase64(about.weight).buffer);
  return { ...about, mean: fromBase64(about.mean), weight: Float32Array.from(half, halfToNumber) };
}

function halfToNumber(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits >> 15 ? -1 : 1;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
}

/** Pixels [side, side, C] in [0, 1], averaged down to `to` a side. */
export function averaged(pixels, side, channels, to) {
  if (to >= side) return Float32Array.from(pixels);
  const step = side / to, small = new Float32Array(to * to * channels);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const place = (Math.floor(y / step) * to + Math.floor(x / step)) * channels;
      for (let c = 0; c < channels; c++) small[place + c] += pixels[(y * side + x) * channels + c];
    }
  }
  return small.map((sum) => sum / step ** 2);
}

/** The first guess of a latent [Z + noise] for pixels [H, W, C] in [0, 1]; its noise is 0. */
export function guessed(pixels, model) {
  const { latent, resolution, channels, numbers } = model;
  const { side, mean, weight } = model.guesser;
  const seen = averaged(pixels, resolution, channels, side);
  const z = new Float32Array(numbers);
  for (let i = 0; i < seen.length; i++) {
    for (let k = 0; k < latent.size; k++) z[k] += (seen[i] - mean[i]) * weight[i * latent.size + k];
  }
  if (latent.distribution === "normal") {
    const wanted = GUESSED * Math.sqrt(latent.size), length = Math.max(lengthOf(z), 1e-6);
    return z.map((value) => (value * wanted) / length);
  }
  return plausible(z, latent);
}

/** Find the latent from which the generator makes pixels [H, W, C] in [0, 1].
 *
 * `draw` makes bytes [n, H, W, C] of n latents, one after the other in a Float32Array, and `told`
 * hears how much is done. Gives { z, refined }, where refined says whether more than the first guess
 * was made. */
export async function inverted(pixels, model, draw, told = () => {}) {
  const { latent, resolution, channels } = model;
  let z = guessed(pixels, model);
  if (latent.size > MOST_NUMBERS) return { z, refined: false };
  const side = Math.min(COMPARED, resolution), size = side * side * channels;
  const target = averaged(pixels, resolution, channels, side);
  const seen = async (latents) => {
    const all = new Float32Array(latents.length * z.length);
    latents.forEach((one, i) => all.set(one, i * z.length));
    const bytes = await draw(all, latents.length), whole = resolution * resolution * channels;
    return latents.map((_, i) =>
      averaged(Float32Array.from(bytes.subarray(i * whole, (i + 1) * whole), (b) => b / 255), resolution, channels, side));
  };
  let [now] = await seen([z]);
  for (let step = 0; step < STEPS; step++) {
    // What each number of the latent changes, [Z, size].
    const changes = [];
    for (let begin = 0; begin < latent.size; begin += 4) {
      const moved = [];
      for (let k = begin; k < Math.min(begin + 4, latent.size); k++) {
        const one = z.slice();
        one[k] += MOVED;
        moved.push(one);
      }
      for (const picture of await seen(moved)) changes.push(picture.map((value, i) => (value - now[i]) / MOVED));
      told((step + changes.length / latent.size) / STEPS);
    }
    const { products, right, held } = equations(changes, target, now, z, size);
    const way = solved(products, right);
    const tried = TRIED.map((share) => plausible(z.map((value, k) => (k < latent.size ? value + share * way[k] : value)), latent));
    const costOf = (picture, one) => {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += (picture[i] - target[i]) ** 2;
      return sum + held * one.subarray(0, latent.size).reduce((all, value) => all + value * value, 0);
    };
    const before = costOf(now, z);
    const pictures = await seen(tried);
    const costs = pictures.map((picture, i) => costOf(picture, tried[i]));
    const best = costs.indexOf(Math.min(...costs));
    if (!(costs[best] < before)) break;
    z = tried[best];
    now = pictures[best];
  }
  told(1);
  return { z, refined: true };
}

/** How near pixels in [0, 1] come to those of a photograph: by how many of 255 levels they differ on
 * average, their root mean square difference as a share of `apart`, which is that of two of the
 * generator's faces in levels, and whether the generator holds the photograph by this. */
export function nearness(pixels, made, apart) {
  let levels = 0, square = 0;
  for (let i = 0; i < pixels.length; i++) {
    const by = 255 * (pixels[i] - made[i]);
    levels += Math.abs(by);
    square += by * by;
  }
  const share = Math.sqrt(square / pixels.length) / apart;
  return { levels: levels / pixels.length, share, held: share <= NOT_HELD };
}

/** The normal equations of a step: (JᵀJ + 2h) · way = Jᵀ(target − now) − h · z. */
function equations(changes, target, now, z, size) {
  const n = changes.length;
  const products = Array.from({ length: n }, () => new Float64Array(n));
  for (let a = 0; a < n; a++) {
    for (let b = 0; b <= a; b++) {
      const one = changes[a], other = changes[b];
      let sum = 0;
      for (let i = 0; i < size; i++) sum += one[i] * other[i];
      products[a][b] = products[b][a] = sum;
    }
  }
  const held = Math.max((HELD * products.reduce((sum, row, k) => sum + row[k], 0)) / n, 1e-9);
  const right = Float64Array.from(changes, (one, k) => {
    let sum = -held * z[k];
    for (let i = 0; i < size; i++) sum += one[i] * (target[i] - now[i]);
    return sum;
  });
  products.forEach((row, k) => (row[k] += 2 * held));
  return { products, right, held };
}

/** x of A · x = b, for A symmetric and positive definite, by Cholesky's decomposition. */
export function solved(a, b) {
  const n = b.length, low = a.map((row) => Float64Array.from(row)), x = Float64Array.from(b);
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) for (let i = j; i < n; i++) low[i][j] -= low[i][k] * low[j][k];
    const root = Math.sqrt(low[j][j]);
    for (let i = j; i < n; i++) low[i][j] /= root;
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= low[i][k] * x[k];
    x[i] /= low[i][i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= low[k][i] * x[k];
    x[i] /= low[i][i];
  }
  return x;
}

function lengthOf(z) {
  return Math.sqrt(z.reduce((sum, value) => sum + value * value, 0));
}

/** A latent brought back to where those lie that the generator was trained with; its noise is 0. */
function plausible(z, { size, distribution }) {
  if (distribution === "uniform") return z.map((value) => Math.max(-1, Math.min(1, value)));
  const longest = LONGEST * Math.sqrt(size), length = lengthOf(z);
  return length > longest ? z.map((value) => (value * longest) / length) : z;
}
