// A walk between kept faces, as a loop or from the first to the last; and as a film.

import { between, eased, faceName, inputsOf } from "./face.js";
import { apngBytes, saveFile } from "./files.js";
import { h, icon, iconButton, paint, say } from "./dom.js";

const RATE = 24;
const MOST_FRAMES = 720;
// Films are shown larger than faces are.
const FILM_SIDE = 256;

export function makeWalk(app) {
  const { model, store, pictures } = app;
  let place = 0, playing = null;
  const canvas = h("canvas", { class: "portrait", role: "img", width: model.resolution, height: model.resolution, "aria-label": "The walk" });
  const scrub = h("input", { type: "range", id: "walk-place", min: 0, max: 1, step: 0.002, value: 0 });
  const play = iconButton("play", "Play", () => (playing ? stop() : begin()), { id: "play", class: "main" });
  const loop = h("input", { type: "checkbox", id: "walk-loop", onchange: () => store.set({ loop: loop.checked }) });
  const seconds = h("input", {
    type: "number", id: "walk-seconds", min: 0.2, max: 20, step: 0.1, inputmode: "decimal",
    onchange: () => {
      const value = Number(seconds.value);
      if (value >= 0.2 && value <= 20) store.set({ seconds: value });
      else seconds.value = store.state.seconds;
    },
  });
  const empty = h("p", { class: "empty" }, "Keep two faces or more, and walk between them here.");
  const format = h("select", { id: "film-format" }, ...app.can.films.map((kind) => h("option", { value: kind }, FORMATS[kind])));
  const status = h("p", { class: "note", role: "status" });
  const film = iconButton("save", "Save film", () => saveFilm(), { id: "save-film" });
  const stops = h("ol", { class: "stops" });

  const keys = () => store.state.kept.map((face) => inputsOf(face, model));
  const parts = (count) => (store.state.loop ? count : count - 1);
  const at = (list, share) => {
    const all = parts(list.length);
    const where = Math.max(0, Math.min(share, 0.999999)) * all;
    const from = Math.floor(where);
    return between(list[from % list.length], list[(from + 1) % list.length], eased(where - from), model);
  };
  const show = () => {
    const list = keys();
    if (list.length < 2) return Promise.resolve();
    return pictures.live(at(list, place), (image) => paint(canvas, image)).catch(app.trouble);
  };

  const begin = () => {
    const list = keys();
    if (list.length < 2) return;
    const length = parts(list.length) * store.state.seconds * 1000;
    let last = performance.now();
    const frame = async () => {
      if (!playing) return;
      const now = performance.now();
      place += (now - last) / length;
      last = now;
      if (place >= 1) {
        if (store.state.loop) place %= 1;
        else {
          place = 1;
          scrub.value = 1;
          await show();
          return stop();
        }
      }
      scrub.value = place;
      await show();
      if (playing) playing = requestAnimationFrame(frame);
    };
    if (place >= 1) place = 0;
    playing = requestAnimationFrame(frame);
    play.replaceChildren(icon("pause"), h("span", {}, "Pause"));
  };
  const stop = () => {
    cancelAnimationFrame(playing);
    playing = null;
    play.replaceChildren(icon("play"), h("span", {}, "Play"));
  };
  scrub.addEventListener("input", () => {
    stop();
    place = Number(scrub.value);
    show();
  });

  const saveFilm = async () => {
    stop();
    const list = keys(), kind = format.value;
    const count = Math.min(MOST_FRAMES, Math.max(2, Math.round(parts(list.length) * store.state.seconds * RATE)));
    film.disabled = true;
    try {
      if (kind === "apng" || kind === "recorded") {
        const shares = Array.from({ length: count }, (_, i) => i / (store.state.loop ? count : count - 1));
        const images = [];
        for (const share of shares) {
          images.push(await pictures.live(at(list, share), (image) => paint(canvas, image)));
          status.textContent = `${images.length} of ${count} frames`;
        }
        if (images.includes(null)) return;
        if (kind === "apng") saveFile(await apngBytes(images, Math.round(1000 / RATE), app.provenance()), `${app.fileName()}-walk.png`, "image/png");
        else await record(images);
      } else {
        status.textContent = `${count} frames are computed…`;
        const faces = store.state.kept.map((face) => app.encoded(face));
        const answer = await app.request("/api/film", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ faces, loop: store.state.loop, frames: count, rate: RATE, format: kind }),
        });
        saveFile(await answer.arrayBuffer(), `${app.fileName()}-walk.${kind}`, answer.headers.get("Content-Type"));
      }
      say("The film is saved.");
      status.textContent = "";
    } catch (error) {
      app.trouble(error);
      status.textContent = "";
    } finally {
      film.disabled = false;
    }
  };

  /** The browser's own encoder films a canvas while the frames are shown on it. */
  const record = async (images) => {
    const type = recorderType();
    const stage = h("canvas", { width: FILM_SIDE, height: FILM_SIDE });
    const small = h("canvas", {});
    const context = stage.getContext("2d");
    context.imageSmoothingQuality = "high";
    const recorder = new MediaRecorder(stage.captureStream(RATE), { mimeType: type, videoBitsPerSecond: 4e6 });
    const pieces = [];
    recorder.ondataavailable = (event) => pieces.push(event.data);
    const ended = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    for (const [i, image] of images.entries()) {
      paint(small, image);
      context.drawImage(small, 0, 0, FILM_SIDE, FILM_SIDE);
      status.textContent = `Filming ${i + 1} of ${images.length}`;
      await new Promise((resolve) => setTimeout(resolve, 1000 / RATE));
    }
    recorder.stop();
    await ended;
    saveFile(await new Blob(pieces).arrayBuffer(), `${app.fileName()}-walk.${type.includes("mp4") ? "mp4" : "webm"}`, type);
  };

  const element = h(
    "div",
    { class: "walk" },
    empty,
    h("div", { class: "walk-stage" }, canvas, h("label", { for: "walk-place", class: "hidden" }, "Place on the walk"), scrub, stops),
    h("div", { class: "walk-controls" },
      h("div", { class: "actions" }, play,
        h("label", { class: "check", for: "walk-loop" }, loop, "Loop")),
      h("div", { class: "control" }, h("label", { for: "walk-seconds" }, "Seconds from face to face"), seconds),
      h("div", { class: "control" }, h("label", { for: "film-format" }, "Film as"), format, film),
      status),
  );
  const render = () => {
    const { kept } = store.state;
    const enough = kept.length > 1;
    empty.hidden = enough;
    element.classList.toggle("unready", !enough);
    loop.checked = store.state.loop;
    seconds.value = store.state.seconds;
    stops.replaceChildren(...kept.map((face) => h("li", {}, faceName(face))));
    if (!enough) stop();
    if (store.state.view === "walk") show();
    else stop();
  };
  store.listen(render);
  return { element, render };
}

const FORMATS = {
  mp4: "MP4", webp: "WebP", apng: "Animated PNG", recorded: "Video, by the browser",
};

/** What the browser's own encoder can write; undefined for none. */
export function recorderType() {
  const kinds = ["video/mp4;codecs=avc1.42E01E", "video/webm;codecs=vp9", "video/webm"];
  if (typeof MediaRecorder === "undefined" || !HTMLCanvasElement.prototype.captureStream) return undefined;
  return kinds.filter((kind) => kind.includes("webm") || !MediaRecorder.isTypeSupported("video/webm")).find((kind) => MediaRecorder.isTypeSupported(kind));
}
