// Two faces in one: what fine maps decide is another face's, where the network takes latents there.

import { faceChanges, faceKey, faceName, tidy } from "./face.js";
import { h } from "./dom.js";

const CANNOT = "This generator takes its latent in at one place, so faces cannot be mixed by resolution.";
const HOW = "Takes from another face what maps of a resolution and all finer ones decide. The coarser they are, the more.";

/** The controls of a face's mixture; `change` hears of a new one, or of undefined for none. */
export function makeMixing(app, face, change) {
  const { model, store } = app;
  const sides = model.mixing;
  if (!sides.length) return { controls: [], note: CANNOT, refresh: () => {} };

  const side = h("select", { id: "mix-side", onchange: () => face()?.mix && change({ ...face().mix, side: Number(side.value) }) },
    ...sides.map((one) => h("option", { value: one }, `${one} px and finer`)));
  side.value = sides[Math.floor(sides.length / 2)];
  const mixIn = (other) => change({ side: Number(side.value), face: tidy({ ...other, mix: undefined }) });
  let offered = [];
  const others = h("select", {
    id: "mix-face",
    onchange: () => (others.value === "" ? change(undefined) : mixIn(offered[Number(others.value)])),
  });
  const seed = h("input", {
    type: "number", id: "mix-seed", min: 0, step: 1, inputmode: "numeric",
    onchange: () => {
      const value = Number(seed.value);
      // As it is on the wall.
      if (seed.value !== "" && Number.isSafeInteger(value) && value >= 0) mixIn({ seed: value, psi: store.state.psi, labels: store.state.labels });
      else refresh();
    },
  });

  const refresh = () => {
    const mix = face()?.mix;
    // Kept faces, but for this one; and what is mixed in, kept or not.
    const own = face() && faceKey({ ...face(), mix: undefined });
    const found = new Map(store.state.kept.filter((one) => !one.mix).map((one) => [faceKey(one), one]));
    found.delete(own);
    if (mix) found.set(faceKey(mix.face), mix.face);
    offered = [...found.values()];
    const words = (one) => [faceName(one), faceChanges(one)].filter(Boolean).join(", ");
    others.replaceChildren(h("option", { value: "" }, "No other face"), ...offered.map((one, i) => h("option", { value: i }, words(one))));
    others.value = mix ? offered.findIndex((one) => faceKey(one) === faceKey(mix.face)) : "";
    if (mix) side.value = mix.side;
    seed.value = mix?.face.seed ?? "";
  };
  store.listen((state, before) => state.kept !== before.kept && refresh());
  const row = (id, words, control) => h("div", { class: "chosen" }, h("label", { for: id }, words), control);
  return {
    note: HOW,
    controls: [
      row("mix-face", "With a kept face", others),
      row("mix-seed", "or with seed", seed),
      row("mix-side", "From maps of", side),
    ],
    refresh,
  };
}
