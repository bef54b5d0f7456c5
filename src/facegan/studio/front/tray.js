// The faces that were kept: look again, compare, walk between them, take them away.

import { faceChanges, faceKey, faceName } from "./face.js";
import { dialog, h, icon, iconButton, paint, say } from "./dom.js";

export function makeTray(app) {
  const { store, pictures } = app;
  const strip = h("ul", { class: "strip", "aria-label": "Kept faces" });
  const count = h("span", { class: "count" });
  const buttons = h(
    "div",
    { class: "tray-actions" },
    iconButton("compare", "Compare", () => compareKept(app), { id: "compare" }),
    iconButton("play", "Walk", () => store.set({ view: "walk" }, { history: false }), { id: "walk-kept" }),
    iconButton("save", "Zip", () => app.saveZip(), { id: "zip" }),
    app.can.dataset ? iconButton("save", "Dataset", () => app.saveDataset(), { id: "dataset" }) : null,
    iconButton("close", "Clear", () => {
      store.set({ kept: [] });
      say("Cleared. Undo brings them back.");
    }, { id: "clear", class: "quiet" }),
  );
  const element = h("footer", { class: "tray", "aria-label": "Kept faces", hidden: true },
    h("div", { class: "tray-head" }, icon("keep"), count), strip, buttons);

  const render = () => {
    const { kept } = store.state;
    element.hidden = kept.length === 0;
    document.body.classList.toggle("with-tray", kept.length > 0);
    count.textContent = `${kept.length} kept`;
    strip.replaceChildren(
      ...kept.map((face, i) => {
        const canvas = h("canvas", { width: 1, height: 1, "aria-hidden": "true" });
        pictures.ask(face).then((image) => image && paint(canvas, image), app.trouble);
        const words = [faceName(face), faceChanges(face)].filter(Boolean).join(", ");
        return h("li", {},
          h("button", { type: "button", class: "thumb", "aria-label": words, title: words, onclick: (event) => app.open(face, event.currentTarget) }, canvas),
          h("button", {
            type: "button", class: "drop bare", "aria-label": `Remove ${words}`,
            onclick: () => store.set({ kept: kept.filter((_, j) => j !== i) }),
          }, icon("close")),
        );
      }),
    );
  };
  store.listen((state, before) => {
    if (JSON.stringify(state.kept) !== JSON.stringify(before.kept)) render();
  });
  return { element, render };
}

/** Keep a face, or say that it is kept. */
export function keepFace(app, face) {
  const { store } = app;
  if (!face) return;
  const place = store.state.kept.findIndex((one) => faceKey(one) === faceKey(face));
  if (place >= 0) {
    store.set({ kept: store.state.kept.filter((_, i) => i !== place) });
    say(`${faceName(face)} is no longer kept.`);
  } else {
    store.set({ kept: [...store.state.kept, face] });
    say(`${faceName(face)} is kept.`);
  }
}

/** Kept faces side by side, large. */
function compareKept(app) {
  const { store, pictures } = app;
  const figures = store.state.kept.map((face) => {
    const canvas = h("canvas", { width: 1, height: 1, role: "img", "aria-label": faceName(face) });
    pictures.ask(face).then((image) => image && paint(canvas, image), app.trouble);
    return h("figure", {}, canvas, h("figcaption", {}, h("strong", {}, faceName(face)), h("span", {}, faceChanges(face))));
  });
  dialog("Kept faces side by side", h("div", { class: "comparison" }, ...figures));
}
