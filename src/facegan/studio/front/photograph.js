// One's own photograph: found, inverted by the server, and then a face like any other.

import { h, iconButton, paint, say, icon } from "./dom.js";

export function makePhotograph(app) {
  const { model, store, pictures } = app;
  if (!app.can.photograph) {
    return {
      element: h("div", { class: "empty" },
        h("p", {}, "A photograph has to be turned into the generator's numbers, which takes the studio on your own machine:"),
        h("pre", {}, h("code", {}, "pip install 'facegan[studio]'\nfacegan studio")),
        h("p", {}, app.server
          ? "The server behind this page lacks what this needs."
          : "This page holds the generator alone. No photograph leaves this device either way.")),
      render: () => {},
    };
  }
  const input = h("input", { type: "file", id: "photograph-file", accept: "image/*", onchange: () => input.files[0] && send(input.files[0]) });
  const drop = h("label", { class: "drop-zone", for: "photograph-file" },
    icon("save"), h("strong", {}, "Choose a photograph, or drop it here"),
    h("span", {}, "It stays in the memory of your machine and is never written to disk."), input);
  const result = h("div", { class: "inversion", "aria-live": "polite" });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      event.stopPropagation();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
    });
  }

  const send = async (file) => {
    result.replaceChildren(h("p", { class: "working" }, "Looking for the face, then for its latent. This takes seconds; for a generator's first photograph, a minute or two…"));
    try {
      const answer = await app.request("/api/photograph", { method: "POST", body: await file.arrayBuffer() });
      showResult(await answer.json());
    } catch (error) {
      result.replaceChildren(h("p", { class: "trouble" }, error.message));
    }
    input.value = "";
  };

  const showResult = (found) => {
    const face = { ...found.face, from: "photograph" };
    const made = h("canvas", { role: "img", "aria-label": "What the generator can hold of it", width: 1, height: 1 });
    pictures.ask(face).then((image) => image && paint(made, image), app.trouble);
    const seen = h("img", { src: `data:image/png;base64,${found.seen}`, alt: "Your photograph as the generator sees it", width: model.resolution, height: model.resolution });
    result.replaceChildren(
      h("div", { class: "comparison" },
        h("figure", {}, seen, h("figcaption", {}, h("strong", {}, "Photograph"), h("span", {}, found.found))),
        h("figure", {}, made, h("figcaption", {}, h("strong", {}, "Generator"), h("span", {}, found.error)))),
      h("p", {}, found.verdict),
      h("div", { class: "actions" },
        iconButton("right", "Edit this face", () => {
          store.set({ view: "faces", open: face });
          app.focusPanel();
        }, { class: "main", id: "edit-photograph" }),
        iconButton("keep", "Keep", () => app.keep(face))),
    );
    say("The photograph is inverted.");
  };
  return { element: h("div", { class: "photograph" }, drop, result), render: () => {}, send };
}
