// The endless wall of seeds.

import { faceKey, faceName, spoken, tidy } from "./face.js";
import { h, icon, iconButton, paint } from "./dom.js";

const MORE = 60;

export function makeWall(app) {
  const { model, store, pictures } = app;
  const tiles = [];
  const grid = h("div", { class: "grid", role: "group", "aria-label": "Faces by seed" });
  const end = h("div", { class: "grid-end", "aria-hidden": "true" });

  const faceOf = (seed) => tidy({ seed, psi: store.state.psi, labels: store.state.labels });

  const draw = async (tile) => {
    const face = faceOf(tile.seed), key = faceKey(face);
    if (tile.shown === key) return;
    tile.wanted = key;
    const image = await pictures.ask(face, () => tile.near && tile.wanted === key).catch(() => null);
    if (!image || tile.wanted !== key || !tile.near) return;
    paint(tile.canvas, image);
    tile.shown = key;
    tile.button.classList.add("drawn");
  };

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const tile = tiles[Number(target.dataset.place)];
        if (!tile || tile.button !== target) continue;
        tile.near = isIntersecting;
        if (isIntersecting) draw(tile);
        else {
          // Pictures out of sight give their memory back.
          tile.canvas.width = 0;
          tile.shown = null;
          tile.button.classList.remove("drawn");
        }
      }
    },
    { rootMargin: "400px" },
  );

  const addTile = () => {
    const seed = store.state.start + tiles.length;
    const canvas = h("canvas", { width: 0, height: 0, "aria-hidden": "true" });
    const button = h(
      "button",
      {
        type: "button",
        class: "tile",
        "data-place": tiles.length,
        tabindex: tiles.length === 0 ? 0 : -1,
        onclick: () => app.open(faceOf(seed), button),
        onfocus: () => rove(button),
      },
      canvas,
      h("span", { class: "tile-seed" }, `${seed}`),
      h("span", { class: "tile-kept" }, icon("keep")),
    );
    const tile = { seed, canvas, button, shown: null, near: false };
    tiles.push(tile);
    describe(tile);
    grid.append(button);
    watcher.observe(button);
  };

  const describe = (tile) => {
    const face = faceOf(tile.seed);
    const kept = store.state.kept.some((one) => faceKey(one) === faceKey(face));
    const opened = store.state.open?.seed === tile.seed;
    tile.button.setAttribute("aria-label", `${faceName(face)}${kept ? ", kept" : ""}`);
    tile.button.toggleAttribute("data-kept", kept);
    tile.button.setAttribute("aria-pressed", String(opened));
  };

  const rove = (button) => {
    grid.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
    button.setAttribute("tabindex", "0");
  };

  const more = () => {
    for (let i = 0; i < MORE; i++) addTile();
  };
  new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && !grid.closest("[hidden]") && more(), {
    rootMargin: "900px",
  }).observe(end);

  const restart = () => {
    for (const tile of tiles) watcher.unobserve(tile.button);
    tiles.length = 0;
    grid.replaceChildren();
    more();
    document.getElementById("main").scrollTop = 0;
  };

  grid.addEventListener("keydown", (event) => {
    const place = Number(event.target.dataset?.place);
    if (Number.isNaN(place) || event.ctrlKey || event.metaKey || event.altKey) return;
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    if (event.key in moves) {
      const to = place + moves[event.key];
      while (to >= tiles.length) more();
      tiles[to]?.button.focus();
    } else if (event.key === "Home") tiles[0].button.focus();
    else if (event.key === "k") app.keep(faceOf(tiles[place].seed));
    else return;
    event.preventDefault();
  });

  // Controls above it.
  const seedField = h("input", {
    type: "number", id: "first-seed", min: 0, step: 1, inputmode: "numeric", value: store.state.start,
    onchange: () => {
      const seed = Math.floor(Number(seedField.value));
      if (Number.isSafeInteger(seed) && seed >= 0) store.set({ start: seed }, { history: false });
      else seedField.value = store.state.start;
    },
  });
  const psiValue = h("output", { for: "truncation" });
  const psi = h("input", {
    type: "range", id: "truncation", min: 0, max: 1, step: 0.05, value: store.state.psi,
    oninput: () => (psiValue.textContent = Number(psi.value).toFixed(2)),
    onchange: () => store.set({ psi: Number(psi.value) }),
  });
  const controls = h(
    "div",
    { class: "controls" },
    h("div", { class: "control" }, h("label", { for: "first-seed" }, "First seed"), seedField,
      iconButton("dice", "Somewhere else", () => {
        const [number] = crypto.getRandomValues(new Uint32Array(1));
        store.set({ start: number % 100000000 }, { history: false });
      }, { class: "quiet" })),
    h("div", { class: "control grows", title: "Less than 1: more typical, less varied" },
      h("label", { for: "truncation" }, "Truncation"), psi, psiValue),
    ...model.labels.map((label, i) => labelControl(app, label, i)),
  );

  store.listen((state, before) => {
    const same = (name) => JSON.stringify(state[name]) === JSON.stringify(before[name]);
    if (!same("start")) restart();
    if (!same("psi") || !same("labels")) {
      psi.value = state.psi;
      psiValue.textContent = state.psi.toFixed(2);
      for (const tile of tiles) if (tile.near) draw(tile);
    }
    seedField.value = state.start;
    if (!same("kept") || !same("open") || !same("psi") || !same("labels")) tiles.forEach(describe);
  });
  psiValue.textContent = store.state.psi.toFixed(2);
  return { element: h("div", {}, controls, grid, end), begin: restart };
}

/** One label that all faces of the wall have in common: from the training images, or chosen. */
function labelControl(app, label, i) {
  const { store } = app;
  const id = `label-${i}`;
  const [low, high] = label.binary
    ? [0, 1]
    : [label.mean - 3 * label.std, label.mean + 3 * label.std];
  const output = h("output", { for: id });
  const free = h("input", {
    type: "checkbox", id: `${id}-set`, "aria-label": `Choose ${spoken(label.name)}`,
    onchange: () => set(free.checked ? Number(range.value) : undefined),
  });
  const range = h("input", {
    type: "range", id, min: low, max: high, step: (high - low) / 100, value: label.mean,
    oninput: () => (output.textContent = Number(range.value).toFixed(label.binary ? 2 : 0)),
    onchange: () => set(Number(range.value)),
  });
  const set = (value) => {
    const labels = { ...store.state.labels };
    if (value === undefined) delete labels[label.name];
    else labels[label.name] = value;
    store.set({ labels });
  };
  const show = () => {
    const value = store.state.labels[label.name];
    free.checked = value !== undefined;
    if (value !== undefined) range.value = value;
    output.textContent = value === undefined ? "any" : value.toFixed(label.binary ? 2 : 0);
  };
  store.listen(show);
  show();
  return h("div", { class: "control" }, free, h("label", { for: id }, spoken(label.name)), range, output);
}

