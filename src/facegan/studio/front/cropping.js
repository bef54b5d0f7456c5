// A photograph is cut out by hand: moved, sized and turned under the average face until both agree.

import { h, iconButton } from "./dom.js";

const SIDE = 320;
// Drawn so much larger than the generator's pictures and averaged down, which browsers do roughly.
const FINER = 4;

/** The controls; `cut` is called with an ImageData of the generator's size. */
export function makeCropping(app, cut) {
  const { model, pictures } = app;
  let photograph = null, average = null;
  const stage = h("canvas", { class: "stage", width: SIDE, height: SIDE, role: "img", "aria-label": "The photograph as it will be cut out" });
  const slider = (id, words, low, high, step, value) => {
    const range = h("input", { type: "range", id, min: low, max: high, step, value, oninput: () => draw() });
    return { range, row: h("div", { class: "chosen" }, h("label", { for: id }, words), range) };
  };
  const across = slider("crop-x", "Left, right", -1, 1, 0.005, 0);
  const down = slider("crop-y", "Up, down", -1, 1, 0.005, 0);
  const size = slider("crop-size", "Size", 0, 3, 0.01, 0);
  const tilt = slider("crop-tilt", "Tilt", -45, 45, 0.5, 0);
  const all = [across, down, size, tilt];
  const over = h("input", { type: "checkbox", id: "crop-average", checked: true, onchange: () => draw() });

  // The photograph's shorter side fills the picture at size 0; each 1 more is twice as large.
  const lay = (context, side) => {
    const scale = (side / Math.min(photograph.width, photograph.height)) * 2 ** Number(size.range.value);
    context.fillStyle = "#808080";
    context.fillRect(0, 0, side, side);
    context.imageSmoothingQuality = "high";
    context.translate(side / 2 + Number(across.range.value) * side, side / 2 + Number(down.range.value) * side);
    context.rotate((Number(tilt.range.value) * Math.PI) / 180);
    context.scale(scale, scale);
    context.drawImage(photograph, -photograph.width / 2, -photograph.height / 2);
    context.setTransform(1, 0, 0, 1, 0, 0);
  };
  const draw = () => {
    if (!photograph) return;
    const context = stage.getContext("2d");
    lay(context, SIDE);
    if (!average || !over.checked) return;
    context.globalAlpha = 0.4;
    context.drawImage(average, 0, 0, SIDE, SIDE);
    context.globalAlpha = 1;
  };
  const centre = () => {
    for (const { range } of all) range.value = 0;
    draw();
  };

  let last = null;
  stage.addEventListener("pointerdown", (event) => {
    last = event;
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!last) return;
    const shown = stage.getBoundingClientRect().width;
    across.range.value = Number(across.range.value) + (event.clientX - last.clientX) / shown;
    down.range.value = Number(down.range.value) + (event.clientY - last.clientY) / shown;
    last = event;
    draw();
  });
  for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, () => (last = null));

  const finish = () => {
    const side = model.resolution, large = side * FINER;
    const canvas = h("canvas", { width: large, height: large });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    lay(context, large);
    const { data } = context.getImageData(0, 0, large, large);
    const image = new ImageData(side, side);
    const sums = new Float32Array(side * side * 4);
    for (let y = 0; y < large; y++) {
      for (let x = 0; x < large; x++) {
        const to = 4 * (Math.floor(y / FINER) * side + Math.floor(x / FINER)), from = 4 * (y * large + x);
        for (let c = 0; c < 4; c++) sums[to + c] += data[from + c];
      }
    }
    image.data.set(sums.map((sum) => sum / FINER ** 2));
    cut(image);
  };
  const element = h("div", { class: "cropping", hidden: true },
    stage,
    h("div", {},
      h("p", { class: "note" }, "Move the photograph until its eyes and mouth lie on those of the average face."),
      ...all.map(({ row }) => row),
      h("label", { class: "check", for: "crop-average" }, over, "Show the average face"),
      h("div", { class: "actions" },
        iconButton("right", "Find this face", finish, { class: "main", id: "crop-find" }),
        iconButton("reset", "Centre", centre, { id: "crop-centre" }))));
  return {
    element,
    render: draw,
    open: async (file) => {
      try {
        photograph = await createImageBitmap(file);
      } catch {
        throw new Error("This file is no picture that the browser can open.");
      }
      const z = new Float32Array(model.numbers);
      const row = model.labels.length ? new Float32Array(model.labels.length).fill(NaN) : null;
      element.hidden = false;
      centre();
      await pictures.live({ z, row, mix: null }, (image) => {
        average = h("canvas", { width: image.width, height: image.height });
        average.getContext("2d").putImageData(image, 0, 0);
      });
      draw();
    },
  };
}
