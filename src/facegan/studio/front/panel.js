// The selected face: large, with everything that can be changed about it.

import { faceChanges, faceKey, faceName, inputsOf, labelValue, spoken, tidy, toBase64 } from "./face.js";
import { h, iconButton, paint } from "./dom.js";
import { makeMixing } from "./mixing.js";

// How far sliders go, in standard deviations of what is read from faces: beyond, faces fall apart.
const REACH = 3;
// Of what came along with an edit, so many are told, from so many standard deviations on.
const TOLD = 6, WORTH_TELLING = 0.25;

export function makePanel(app) {
  const { model, store, pictures } = app;
  let draft = null, opener = null, dragging = false;

  const title = h("h2", { id: "panel-title", tabindex: -1 }, "");
  const canvas = h("canvas", { class: "portrait", role: "img", width: model.resolution, height: model.resolution });
  const changes = h("p", { class: "changes" });
  // One line that is always there, so that no slider moves away under a finger.
  const along = h("p", { class: "along", "aria-hidden": "true" });
  const before = iconButton("compare", "Before", () => {}, {
    class: "quiet", "aria-pressed": "false", title: "Show the face without its edits",
  });
  const original = (face) => tidy({ ...face, edits: {}, parts: {}, mix: undefined, labels: store.state.labels, psi: face.psi });

  const show = (face) => {
    canvas.setAttribute("aria-label", [faceName(face), faceChanges(face)].filter(Boolean).join(": "));
    changes.textContent = faceChanges(face) || "As it was drawn";
    return pictures.live(inputsOf(face, model), (image) => paint(canvas, image)).catch(app.trouble);
  };
  before.addEventListener("click", () => {
    const on = before.getAttribute("aria-pressed") !== "true";
    before.setAttribute("aria-pressed", String(on));
    show(on ? original(draft) : draft);
  });

  // A slider with its number, for a group of the face's values.
  const rows = [];
  const slider = (group, key, words, { low, high, step, neutral, hint }) => {
    const id = `${group}-${rows.length}`;
    const value = () => draft?.[group]?.[key] ?? neutral();
    const range = h("input", { type: "range", id, min: low, max: high, step, title: hint });
    const number = h("input", {
      type: "number", min: low, max: high, step, "aria-label": `${words}, number`, inputmode: "decimal",
    });
    const reset = iconButton("reset", `Reset ${words}`, () => done(undefined), { class: "quiet bare reset" });
    const preview = (to) => {
      const values = { ...draft[group] };
      if (to === undefined) delete values[key];
      else values[key] = to;
      draft = tidy({ ...draft, [group]: values });
      before.setAttribute("aria-pressed", "false");
      refresh(); // this one alone: no other slider moves with it
      show(draft);
    };
    const done = (to) => {
      preview(to);
      dragging = false;
      store.set({ open: draft });
    };
    range.addEventListener("input", () => {
      dragging = true;
      preview(Number(range.value));
      readSoon();
    });
    range.addEventListener("change", () => done(Number(range.value)));
    number.addEventListener("change", () => {
      const to = Math.max(low, Math.min(high, Number(number.value)));
      if (Number.isFinite(to)) done(to);
    });
    const refresh = () => {
      const now = value();
      range.value = now;
      if (document.activeElement !== number) number.value = Number(now.toFixed(2));
      const moved = draft?.[group]?.[key] !== undefined;
      reset.hidden = !moved;
      range.classList.toggle("moved", moved);
    };
    rows.push(refresh);
    return h("div", { class: "slider" }, h("label", { for: id }, words), reset, range, number);
  };

  const zero = () => 0;
  const group = (legend, open, sliders, note) =>
    sliders.length || note
      ? h("details", { class: "group", open }, h("summary", {}, legend), note ? h("p", { class: "note" }, note) : null, ...sliders)
      : null;
  const range = { low: -REACH, high: REACH, step: 0.05, neutral: zero };
  const wanted = model.directions;
  const [common, others] = chosen(wanted);
  const direction = ({ name }) => slider("edits", name, spoken(name), range);
  const labels = model.labels.map((label, i) => {
    const [low, high] = label.binary ? [0, 1] : [label.mean - 3 * label.std, label.mean + 3 * label.std];
    const neutral = () => (draft ? labelValue(inputsOf(tidy({ ...draft, labels: {} }), model), label, i) ?? label.mean : label.mean);
    return slider("labels", label.name, spoken(label.name), { low, high, step: (high - low) / 100, neutral });
  });
  const psi = h("input", { type: "range", id: "face-psi", min: 0, max: 1, step: 0.05 });
  const psiNumber = h("input", { type: "number", min: 0, max: 1, step: 0.05, "aria-label": "Truncation of this face, number" });
  const setPsi = (value, final) => {
    draft = tidy({ ...draft, psi: Math.max(0, Math.min(1, value)) });
    show(draft);
    psiNumber.value = psi.value = draft.psi ?? 1;
    if (final) store.set({ open: draft });
  };
  psi.addEventListener("input", () => setPsi(Number(psi.value), false));
  psi.addEventListener("change", () => setPsi(Number(psi.value), true));
  psiNumber.addEventListener("change", () => Number.isFinite(psiNumber.valueAsNumber) && setPsi(psiNumber.valueAsNumber, true));
  rows.push(() => (psiNumber.value = psi.value = draft?.psi ?? 1));

  const mixing = makeMixing(app, () => draft, (mix) => {
    draft = tidy({ ...draft, mix });
    store.set({ open: draft });
  });
  rows.push(mixing.refresh);

  const controls = h(
    "div",
    { class: "sliders" },
    group("Labels", true, labels),
    group("Attributes", true, common.map(direction)),
    group("More attributes", false, others.map(direction)),
    group(
      "Components", !wanted.length,
      model.components.map(({ name }, i) => slider("parts", String(i), `Component ${name}`, range)),
      model.components.length ? "Directions along which pictures change most. They have no names: try them." : null,
    ),
    group("Mixing", false, mixing.controls, mixing.note),
    group("Truncation", false, [
      h("div", { class: "slider" }, h("label", { for: "face-psi" }, "Truncation"), h("span"), psi, psiNumber),
    ]),
  );

  // What else changed: read by the server from the pictures, or expected from the tables.
  const readout = h("div", { class: "readout" });
  const readoutBox = h("section", { class: "readout-box", "aria-labelledby": "readout-title" },
    h("h3", { id: "readout-title" }, "What changed"), readout);
  let reading = null;
  const tellChanges = (changed, source) => {
    const asked = new Set(Object.keys(draft?.edits ?? {}));
    const worth = changed.filter(([name, by]) => asked.has(name) || Math.abs(by) >= WORTH_TELLING);
    worth.sort((a, b) => asked.has(b[0]) - asked.has(a[0]) || Math.abs(b[1]) - Math.abs(a[1]));
    const came = worth.filter(([name]) => !asked.has(name)).slice(0, 3);
    along.textContent = came.length
      ? `With it: ${came.map(([name, by]) => `${spoken(name).toLowerCase()} ${signedText(by)}`).join(", ")}`
      : "";
    readout.replaceChildren(
      worth.length
        ? h("ul", {}, worth.slice(0, TOLD).map(([name, by]) => {
            const width = Math.min(1, Math.abs(by) / REACH) * 50;
            const bar = h("span", { class: "bar-fill" });
            bar.style.width = `${width}%`;
            bar.style.left = by < 0 ? `${50 - width}%` : "50%";
            return h("li", { class: asked.has(name) ? "asked" : "" },
              h("span", { class: "bar-name" }, spoken(name)),
              h("span", { class: "bar-track", "aria-hidden": "true" }, bar),
              h("span", { class: "bar-value" }, signedText(by)));
          }))
        : h("p", { class: "note" }, "Nothing that is read from faces."),
      h("p", { class: "note" }, source),
    );
  };
  const readChanges = async () => {
    const face = draft;
    if (!face) return;
    const edited = face.edits || face.parts || face.labels || face.mix;
    readoutBox.hidden = !edited || !(app.can.reader || (wanted.length && face.edits));
    if (readoutBox.hidden) {
      along.textContent = "";
      return;
    }
    // To read two pictures costs what many pictures cost: while a slider is dragged, the tables tell.
    if (app.can.reader && !(dragging && face.edits)) {
      const encoded = [original(face), face].map((one) => app.encoded(one));
      const found = await app.post("/api/read", { faces: encoded }).catch(() => null);
      if (!found || face !== draft) return;
      const [was, is] = found.values;
      tellChanges(found.names.map((name, i) => [name, (is[i] - was[i]) / found.spread[i]]),
        "Read from the two pictures, in standard deviations between faces.");
      return;
    }
    const sums = wanted.map(() => 0);
    for (const { name, up, down } of wanted) {
      const amount = face.edits?.[name] ?? 0;
      (amount > 0 ? up : down).forEach((value, i) => (sums[i] += amount * value));
    }
    tellChanges(wanted.map(({ name }, i) => [name, sums[i]]),
      "Expected, from what these edits do to other faces on average, in standard deviations.");
  };
  const readSoon = () => {
    if (reading) return;
    reading = setTimeout(async () => {
      await readChanges();
      reading = null;
    }, app.can.reader && !draft?.edits ? 1000 : 250);
  };

  const actions = h(
    "div",
    { class: "actions" },
    iconButton("keep", "Keep", () => app.keep(draft), { id: "keep", class: "main" }),
    iconButton("save", "Save PNG", () => app.savePng(draft), { id: "save" }),
    iconButton("link", "Link", app.copyLink, { id: "copy-link", title: "Copy a link that holds all that you see" }),
    iconButton("code", "Code", () => app.showCode(draft), { id: "show-code" }),
    iconButton("reset", "Reset", () => store.set({ open: original(draft) }), { id: "reset" }),
  );
  const element = h(
    "aside",
    { class: "panel", id: "panel", "aria-labelledby": "panel-title", hidden: true },
    h("div", { class: "panel-head" }, title,
      before,
      iconButton("close", "Close", () => close(), { class: "quiet bare", id: "close-panel" })),
    h("div", { class: "panel-face" }, canvas, changes, along),
    h("div", { class: "panel-body" }, actions, controls, readoutBox),
  );
  const close = () => {
    store.set({ open: null }, { history: false });
    if (opener?.isConnected) opener.focus();
  };
  element.addEventListener("keydown", (event) => event.key === "Escape" && close());

  const render = () => {
    const face = store.state.open;
    element.hidden = !face;
    document.body.classList.toggle("with-panel", Boolean(face));
    if (!face) {
      draft = null;
      return;
    }
    if (!dragging && (!draft || faceKey(draft) !== faceKey(face))) {
      draft = face;
      before.setAttribute("aria-pressed", "false");
    }
    title.textContent = faceName(face);
    rows.forEach((refresh) => refresh());
    show(draft);
    readChanges();
  };
  store.listen((state, past) => {
    if (JSON.stringify(state.open) !== JSON.stringify(past.open)) render();
  });
  return {
    element,
    render,
    focus: (from) => {
      opener = from;
      if (matchMedia("(max-width: 860px)").matches) title.focus();
    },
  };
}

function signedText(by) {
  return `${by < 0 ? "−" : "+"}${Math.abs(by).toFixed(1)}`;
}

// Those that people ask for first; all others are one click away.
const COMMON = [
  "Smiling", "Age", "Male", "Eyeglasses", "Young", "Blond_Hair", "Black_Hair", "Bald", "No_Beard",
  "Mustache", "Light", "Turned_Right", "Wearing_Hat", "Mouth_Slightly_Open",
];

function chosen(directions) {
  if (directions.length <= 12) return [directions, []];
  const place = ({ name }) => COMMON.indexOf(name);
  const common = directions.filter((one) => place(one) >= 0).sort((a, b) => place(a) - place(b));
  return [common, directions.filter((one) => place(one) < 0)];
}

/** A face as the server takes it: what enters the network. */
export function encodedFace(face, model) {
  const encoded = ({ z, row }) => (row ? { z: toBase64(z), row: toBase64(row) } : { z: toBase64(z) });
  const { mix, ...own } = inputsOf(face, model);
  return mix ? { ...encoded(own), mix: { ...encoded(mix), share: [...mix.share] } } : encoded(own);
}

