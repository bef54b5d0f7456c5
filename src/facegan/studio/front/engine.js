// Pictures of latents, from the server behind the page or from ONNX Runtime inside it.
//
// Both engines have one function, draw(n, given): float32 latents `z`, labels `rows`, and where faces
// are mixed those of the others, `fine` and `fineRows`, and their `share`; bytes [n, H, W, C] out. `Pictures` asks it for one thing at a time: what is being dragged comes first,
// and of that the newest value alone.

import { bytesFromBase64, faceKey, inputsOf } from "./face.js";

const REMEMBERED = 1500;

export class Pictures {
  constructor(model, engine) {
    this.model = model;
    this.engine = engine;
    this.queue = [];
    this.newest = null;
    this.busy = false;
    this.cache = new Map();
    this.frames = 0;
  }

  /** A face's picture, an ImageData, when its turn comes; null if nobody wants it any more. */
  ask(face, wanted = () => true) {
    const key = faceKey(face);
    const known = this.cache.get(key);
    if (known) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      this.queue.push({ key, inputs: () => inputsOf(face, this.model), wanted, resolve, reject });
      this.pump();
    });
  }

  /** Show what is being moved: at once if nothing is computed, or the newest value after it. */
  live(inputs, show) {
    this.newest?.resolve(null);
    return new Promise((resolve, reject) => {
      const shown = (image) => {
        if (image) {
          show(image);
          this.frames++;
        }
        resolve(image);
      };
      this.newest = { key: null, inputs: () => inputs, resolve: shown, reject };
      this.pump();
    });
  }

  async pump() {
    if (this.busy) return;
    this.busy = true;
    try {
      for (;;) {
        const jobs = this.next();
        if (!jobs.length) return;
        try {
          const images = await this.compute(jobs.map((job) => job.inputs()));
          jobs.forEach((job, i) => {
            if (job.key !== null) this.remember(job.key, images[i]);
            job.resolve(images[i]);
          });
        } catch (error) {
          jobs.forEach((job) => job.reject(error));
        }
      }
    } finally {
      this.busy = false;
    }
  }

  next() {
    if (this.newest) {
      const job = this.newest;
      this.newest = null;
      return [job];
    }
    const jobs = [];
    while (this.queue.length && jobs.length < this.engine.batch) {
      const job = this.queue.shift();
      const known = this.cache.get(job.key);
      if (known) job.resolve(known);
      else if (job.wanted()) jobs.push(job);
      else job.resolve(null);
    }
    return jobs;
  }

  remember(key, image) {
    if (this.cache.size >= REMEMBERED) this.cache.delete(this.cache.keys().next().value);
    this.cache.set(key, image);
  }

  async compute(inputs) {
    const { numbers, labels, mixing, resolution, channels } = this.model;
    const n = inputs.length;
    const table = (width, row) => {
      if (!width) return null;
      const all = new Float32Array(n * width);
      inputs.forEach((one, i) => row(one) && all.set(row(one), i * width));
      return all;
    };
    const given = { z: table(numbers, (one) => one.z), rows: table(labels.length, (one) => one.row) };
    if (inputs.some((one) => one.mix)) {
      // Of who is not mixed, a share of 0 is.
      given.fine = table(numbers, (one) => (one.mix ?? one).z);
      given.fineRows = table(labels.length, (one) => (one.mix ?? one).row);
      given.share = table(mixing.length, (one) => one.mix?.share);
    }
    const bytes = await this.engine.draw(n, given);
    const size = resolution * resolution * channels;
    return inputs.map((_, i) => imageOf(bytes.subarray(i * size, (i + 1) * size), this.model));
  }
}

/** Bytes [H, W, C] as an ImageData. */
function imageOf(bytes, { resolution, channels }) {
  const image = new ImageData(resolution, resolution);
  const { data } = image;
  for (let i = 0, from = 0; i < data.length; i += 4, from += channels) {
    data[i] = bytes[from];
    data[i + 1] = bytes[from + (channels > 1 ? 1 : 0)];
    data[i + 2] = bytes[from + (channels > 1 ? 2 : 0)];
    data[i + 3] = 255;
  }
  return image;
}

/** The server's engine: frames as bytes over one WebSocket. */
export class ServerEngine {
  constructor(onLost, onBack) {
    this.batch = 16;
    this.waiting = new Map();
    this.counter = 0;
    this.onLost = onLost;
    this.onBack = onBack;
    this.socket = null;
  }

  /** An open socket; tried again for as long as the page is open. */
  connect() {
    if (this.opening) return this.opening;
    this.opening = new Promise((resolve) => {
      const attempt = (delay) => {
        const scheme = location.protocol === "https:" ? "wss" : "ws";
        const socket = new WebSocket(`${scheme}://${location.host}/api/live`);
        socket.binaryType = "arraybuffer";
        let opened = false;
        socket.onopen = () => {
          opened = true;
          this.onBack?.();
          resolve(socket);
        };
        socket.onmessage = (event) => this.receive(event.data);
        socket.onclose = () => {
          if (opened) this.opening = null;
          for (const job of this.waiting.values()) job.reject(new Error("The server is gone."));
          this.waiting.clear();
          this.onLost?.();
          if (opened) this.connect();
          else setTimeout(() => attempt(Math.min(delay * 1.5, 5000)), delay);
        };
      };
      attempt(300);
    });
    return this.opening;
  }

  async draw(n, { z, rows, fine, fineRows, share }) {
    const socket = await this.connect();
    const id = ++this.counter;
    const parts = [z, rows, fine, fineRows, share].filter(Boolean);
    const message = new ArrayBuffer(8 + 4 * parts.reduce((sum, part) => sum + part.length, 0));
    new Uint32Array(message, 0, 2).set([id, n]);
    let at = 8;
    for (const part of parts) {
      new Float32Array(message, at, part.length).set(part);
      at += 4 * part.length;
    }
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      socket.send(message);
    });
  }

  receive(data) {
    if (typeof data === "string") {
      const said = JSON.parse(data);
      this.waiting.get(said.id)?.reject(new Error(said.error));
      this.waiting.delete(said.id);
      return;
    }
    const [id] = new Uint32Array(data, 0, 1);
    this.waiting.get(id)?.resolve(new Uint8Array(data, 8));
    this.waiting.delete(id);
  }
}

/** Opens a graph in ONNX Runtime, and answers messages. It is sent to a worker as text, where
 * nothing else of this file exists; where there are no workers, it runs here. */
function graphRunner(scope) {
  let session = null, Tensor = null;
  const start = async ({ module, wasm, graph }) => {
    const url = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
    const ort = await import(url);
    URL.revokeObjectURL(url);
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = wasm;
    ort.env.logLevel = "error";
    Tensor = ort.Tensor;
    session = await ort.InferenceSession.create(new Uint8Array(graph), { executionProviders: ["wasm"] });
    return null;
  };
  const run = async ({ n, tables }) => {
    const given = {};
    for (const [name, values] of Object.entries(tables)) {
      given[name] = new Tensor("float32", values, [n, values.length / n]);
    }
    const { images } = await session.run(given);
    return images.data.slice();
  };
  scope.onmessage = async ({ data }) => {
    try {
      const values = await (data.module ? start(data) : run(data));
      scope.postMessage({ id: data.id, values }, values ? [values.buffer] : []);
    } catch (error) {
      scope.postMessage({ id: data.id, error: String(error?.message ?? error) }, []);
    }
  };
}

/** The page's own engine: ONNX Runtime in WebAssembly, from the data blocks of the file. */
export class PageEngine {
  constructor(model) {
    this.batch = 4;
    this.model = model;
    this.waiting = new Map();
    this.counter = 0;
  }

  async start() {
    const names = ["runtime-module", "runtime-wasm", "generator"];
    const [module, wasm, graph] = await Promise.all(names.map(unpackedBlock));
    try {
      // In a worker, so that the page scrolls smoothly on a phone while it computes.
      const source = new Blob([`(${graphRunner})(self)`], { type: "text/javascript" });
      const worker = new Worker(URL.createObjectURL(source)); // a module may not come from a file
      this.post = (data) => worker.postMessage(data);
      worker.onmessage = ({ data }) => this.receive(data);
      worker.onerror = () => this.receive({ id: this.counter, error: "No worker can be started." });
      await this.ask({ module, wasm, graph });
    } catch {
      const here = { postMessage: (data) => this.receive(data) };
      graphRunner(here);
      this.post = (data) => here.onmessage({ data });
      await this.ask({ module, wasm, graph });
    }
  }

  ask(data) {
    const id = ++this.counter;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.post({ id, ...data });
    });
  }

  receive({ id, values, error }) {
    const job = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) job?.resolve(values);
    else job?.reject(new Error(error));
  }

  async draw(n, { z, rows, fine, fineRows, share }) {
    const tables = { z };
    if (rows) tables.labels = rows;
    const { mixing } = this.model;
    if (mixing.length) {
      tables.fine = fine ?? z;
      if (rows) tables.fine_labels = fineRows ?? rows;
      tables.share = share ?? new Float32Array(n * mixing.length);
    }
    return toBytes(await this.ask({ n, tables }), n, this.model);
  }
}

/** Model values [n, C, H, W] → bytes [n, H, W, C], as facegan.data.pixels rounds them. */
export function toBytes(values, n, { resolution, channels, pixels }) {
  const fround = Math.fround;
  const scale = [], offset = [];
  for (let c = 0; c < channels; c++) {
    if (pixels.range === "unit") scale.push(1 / 255), offset.push(0);
    else if (pixels.range === "symmetric") scale.push(2 / 255), offset.push(-1);
    else scale.push(1 / (255 * pixels.std[c])), offset.push(-pixels.mean[c] / pixels.std[c]);
  }
  const places = resolution * resolution;
  const bytes = new Uint8ClampedArray(n * places * channels);
  for (let c = 0; c < channels; c++) {
    const by = fround(scale[c]), from = fround(offset[c]);
    for (let i = 0; i < n; i++) {
      const begin = (i * channels + c) * places;
      // A clamped array rounds halves to even, as NumPy and PyTorch do.
      for (let p = 0; p < places; p++) {
        bytes[(i * places + p) * channels + c] = fround(fround(values[begin + p] - from) / by);
      }
    }
  }
  return new Uint8Array(bytes.buffer);
}

/** The bytes of a data block of this file: base64 of gzip. */
async function unpackedBlock(id) {
  const block = document.getElementById(id);
  const packed = bytesFromBase64(block.textContent.trim());
  block.remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
