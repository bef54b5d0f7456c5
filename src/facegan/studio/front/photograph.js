// One's own photograph: found and inverted by the server, or cut out by hand and inverted in the page;
// then a face like any other.

import { toBase64 } from "./face.js";
import { makeCropping } from "./cropping.js";
import { inverted, nearness } from "./inversion.js";
import { h, iconButton, paint, say, icon } from "./dom.js";

export function makePhotograph(app) {
  const { model, store, pictures } = app;
  if (!app.can.photograph) {
    return {
      element: h("div", { class: "empty" },
        h("p", {}, app.server
          ? "The server behind this page lacks what photographs need."
          : "This page cannot turn photographs into this generator's numbers: its pictures are too small."),
        h("p", {}, "No photograph leaves this device either way.")),
      render: () => {},
    };
  }
  const input = h("input", { type: "file", id: "photograph-file", accept: "image/*", onchange: () => input.files[0] && take(input.files[0]) });
  const drop = h("label", { class: "drop-zone", for: "photograph-file" },
    icon("save"), h("strong", {}, "Choose a photograph, or drop it here"),
    h("span", {}, app.server ? "It stays in the memory of your machine and is never written to disk." : "It stays in this page. Nothing is sent anywhere."), input);
  const result = h("div", { class: "inversion", "aria-live": "polite" });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      event.stopPropagation();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    });
  }

  const take = async (file) => {
    try {
      if (app.server) await send(file);
      else await cropping.open(file);
    } catch (error) {
      result.replaceChildren(h("p", { class: "trouble" }, error.message));
    }
    input.value = "";
  };

  const send = async (file) => {
    result.replaceChildren(h("p", { class: "working" }, "Looking for the face, then for its latent. This takes seconds; for a generator's first photograph, a minute or two…"));
    const answer = await app.request("/api/photograph", { method: "POST", body: await file.arrayBuffer() });
    const found = await answer.json();
    const seen = h("img", { src: `data:image/png;base64,${found.seen}`, alt: "Your photograph as the generator sees it", width: model.resolution, height: model.resolution });
    showResult({ ...found, seen, face: { ...found.face, from: "photograph" } });
  };

  // In the page: what was cut out, to the latent.
  const cropping = app.server ? null : makeCropping(app, async (image) => {
    const status = h("p", { class: "working", role: "status" }, "A first guess is made…");
    result.replaceChildren(status);
    try {
      const pixels = pixelsOf(image, model.channels);
      const draw = (z, n) => pictures.engine.draw(n, model.labels.length ? { z, rows: new Float32Array(n * model.labels.length).fill(NaN) } : { z });
      const { z, refined } = await inverted(pixels, model, draw, (share) => {
        status.textContent = `The generator's faces are brought nearer to it: ${Math.round(100 * share)} %`;
      });
      const face = { z: toBase64(z), from: "photograph" };
      const made = pixelsOf(await pictures.ask(face), model.channels);
      showResult({ face, seen: shownImage(image), found: "As you cut it out", ...told(pixels, made, refined, model) });
    } catch (error) {
      result.replaceChildren(h("p", { class: "trouble" }, error.message));
    }
  });

  const showResult = ({ face, seen, found, error, verdict }) => {
    const made = h("canvas", { role: "img", "aria-label": "What the generator can hold of it", width: 1, height: 1 });
    pictures.ask(face).then((image) => image && paint(made, image), app.trouble);
    result.replaceChildren(
      h("div", { class: "comparison" },
        h("figure", {}, seen, h("figcaption", {}, h("strong", {}, "Photograph"), h("span", {}, found))),
        h("figure", {}, made, h("figcaption", {}, h("strong", {}, "Generator"), h("span", {}, error)))),
      h("p", {}, verdict),
      h("div", { class: "actions" },
        iconButton("right", "Edit this face", () => {
          store.set({ view: "faces", open: face });
          app.focusPanel();
        }, { class: "main", id: "edit-photograph" }),
        iconButton("keep", "Keep", () => app.keep(face), { id: "keep-photograph" })),
    );
    say("The photograph is inverted.");
  };
  return { element: h("div", { class: "photograph" }, drop, cropping?.element ?? null, result), render: () => cropping?.render() };
}

/** An ImageData as numbers [H, W, C] in [0, 1]; grey by ITU-R 601. */
function pixelsOf({ data, width, height }, channels) {
  const pixels = new Float32Array(width * height * channels);
  for (let i = 0, from = 0; i < pixels.length; i += channels, from += 4) {
    const [r, g, b] = [data[from], data[from + 1], data[from + 2]];
    if (channels === 1) pixels[i] = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
    else pixels.set([r / 255, g / 255, b / 255], i);
  }
  return pixels;
}

function shownImage(image) {
  const canvas = h("canvas", { role: "img", "aria-label": "Your photograph as the generator sees it", id: "photograph-seen" });
  paint(canvas, image);
  return canvas;
}

/** How near a picture comes to the photograph, in words. */
function told(pixels, made, refined, { guesser: { apart } }) {
  const { levels, share, held } = nearness(pixels, made, apart);
  const words = held
    ? "This is the nearest face that was found. The page compares pixels, and it may be somebody else that you see."
    : "The generator cannot hold this face: what you see is the nearest that was found, and that is somebody else. Lay the face like the average face, and try again.";
  return {
    error: `Differs by ${Math.round(levels)} of 255 levels on average; ${Math.round(100 * share)} % of what two of its faces differ by`,
    verdict: refined ? words : `${words} It is a first guess alone: this generator's latents are too long for more in a page.`,
  };
}
