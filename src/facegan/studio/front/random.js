// NumPy's random numbers, so that a seed means the same face here as on the command line.
//
// facegan draws the latent of a seed from numpy.random.default_rng([seed, 3, 0]): O'Neill's PCG64
// (XSL-RR, 2014), seeded by NumPy's SeedSequence, normal numbers by Marsaglia and Tsang's ziggurat
// (2000) in single precision. Equal to NumPy's bit for bit, but for numbers beyond 3.65 (one in
// four thousand), whose last bit depends on the logarithm of the machine.

const U32 = 0xffffffff;
const MASK64 = (1n << 64n) - 1n;
const MASK128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

// What SeedSequence multiplies with, of NumPy's NEP 19 implementation.
const POOL = 4;
const INIT_A = 0x43b0d7e5, MULT_A = 0x931e8875;
const INIT_B = 0x8b51f9dd, MULT_B = 0x58f38ded;
const MIX_L = 0xca01f9dd, MIX_R = 0x4973f715;

/** The words of whole numbers from 0 as SeedSequence takes them: least significant first. */
function words(numbers) {
  const found = [];
  for (const number of numbers) {
    let rest = BigInt(number);
    do {
      found.push(Number(rest & 0xffffffffn));
      rest >>= 32n;
    } while (rest > 0n);
  }
  return found;
}

/** SeedSequence(numbers).generate_state(n, uint64), as BigInt. */
export function seedState(numbers, n) {
  const entropy = words(numbers);
  let constant = INIT_A;
  const hash = (value) => {
    value = (value ^ constant) >>> 0;
    constant = Math.imul(constant, MULT_A) >>> 0;
    value = Math.imul(value, constant) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  const mix = (x, y) => {
    const value = (Math.imul(MIX_L, x) - Math.imul(MIX_R, y)) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  const pool = [];
  for (let i = 0; i < POOL; i++) pool.push(hash(i < entropy.length ? entropy[i] : 0));
  for (let from = 0; from < POOL; from++) {
    for (let to = 0; to < POOL; to++) {
      if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
    }
  }
  for (let from = POOL; from < entropy.length; from++) {
    for (let to = 0; to < POOL; to++) pool[to] = mix(pool[to], hash(entropy[from]));
  }
  constant = INIT_B;
  const out = [];
  for (let i = 0; i < 2 * n; i++) {
    let value = (pool[i % POOL] ^ constant) >>> 0;
    constant = Math.imul(constant, MULT_B) >>> 0;
    value = Math.imul(value, constant) >>> 0;
    out.push((value ^ (value >>> 16)) >>> 0);
  }
  return Array.from({ length: n }, (_, i) => BigInt(out[2 * i]) | (BigInt(out[2 * i + 1]) << 32n));
}

/** The ziggurat's 256 layers, in 23 bits: where each ends, how wide, how high. */
function ziggurat() {
  const layers = 256, scale = 2 ** 23;
  const edge = 3.6541528853610088, area = 0.00492867323399;
  const ends = new Uint32Array(layers);
  const widths = new Float32Array(layers), heights = new Float32Array(layers);
  let outer = edge, height = Math.exp(-0.5 * edge * edge);
  ends[0] = Math.round(((edge * height) / area) * scale);
  widths[0] = area / height / scale;
  widths[255] = edge / scale;
  heights[0] = 1;
  heights[255] = height;
  for (let i = 254; i > 0; i--) {
    const x = Math.sqrt(-2 * Math.log(area / outer + height));
    ends[i + 1] = Math.round((x / outer) * scale);
    widths[i] = x / scale;
    height = Math.exp(-0.5 * x * x);
    heights[i] = height;
    outer = x;
  }
  ends[1] = 0;
  return { edge: Math.fround(edge), ends, widths, heights };
}

const TABLE = ziggurat();

/** numpy.random.default_rng(numbers), as far as facegan uses it. */
export class NumpyRandom {
  constructor(numbers) {
    const [a, b, c, d] = seedState(numbers, 4);
    this.increment = ((((c << 64n) | d) << 1n) | 1n) & MASK128;
    this.state = 0n;
    this.step();
    this.state = (this.state + ((a << 64n) | b)) & MASK128;
    this.step();
    this.spare = -1;
  }

  step() {
    this.state = (this.state * MULTIPLIER + this.increment) & MASK128;
  }

  next64() {
    this.step();
    const mixed = ((this.state >> 64n) ^ this.state) & MASK64;
    const turn = this.state >> 122n;
    return ((mixed >> turn) | (mixed << ((64n - turn) & 63n))) & MASK64;
  }

  /** 32 bits: the lower half of a number, then its upper half. */
  next32() {
    if (this.spare >= 0) {
      const value = this.spare;
      this.spare = -1;
      return value;
    }
    const value = this.next64();
    this.spare = Number(value >> 32n);
    return Number(value & 0xffffffffn);
  }

  /** Generator.random(n, float32): uniform in [0, 1). */
  uniform(n) {
    return Float32Array.from({ length: n }, () => this.uniform1());
  }

  uniform1() {
    return (this.next32() >>> 8) / 2 ** 24;
  }

  /** Generator.standard_normal(n, float32). */
  normal(n) {
    return Float32Array.from({ length: n }, () => this.normal1());
  }

  normal1() {
    const { edge, ends, widths, heights } = TABLE;
    const fround = Math.fround;
    for (;;) {
      const bits = this.next32();
      const layer = bits & 0xff;
      const place = (bits >>> 9) & 0x7fffff;
      let x = fround(place * widths[layer]);
      if ((bits >>> 8) & 1) x = -x;
      if (place < ends[layer]) return x;
      if (layer === 0) {
        for (;;) {
          const one = fround(-fround(0.27366123732975828) * fround(Math.log1p(-this.uniform1())));
          const two = fround(-Math.log1p(-this.uniform1()));
          if (fround(two + two) > fround(one * one)) {
            return fround((place >>> 8) & 1 ? -(edge + one) : edge + one);
          }
        }
      }
      const drop = fround(heights[layer - 1] - heights[layer]);
      const y = fround(fround(drop * this.uniform1()) + heights[layer]);
      if (y < Math.exp(-0.5 * x * x)) return x;
    }
  }
}

/** The random numbers of the picture with this seed, as facegan.seeding.image_random. */
export function imageRandom(seed) {
  return new NumpyRandom([seed, 3, 0]);
}
