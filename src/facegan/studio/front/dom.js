// Elements, icons, and words for those who listen instead of look.

/** An element: h("button", { class: "quiet", onclick }, "Keep"). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  keep: "M12 20s-7-4.6-7-10a4 4 0 0 1 7-2.6A4 4 0 0 1 19 10c0 5.4-7 10-7 10z",
  close: "M6 6l12 12M18 6L6 18",
  save: "M12 4v11m0 0l-4-4m4 4l4-4M5 19h14",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  code: "M9 8l-4 4 4 4M15 8l4 4-4 4",
  undo: "M9 7L5 11l4 4M5 11h9a5 5 0 0 1 0 10h-3",
  redo: "M15 7l4 4-4 4M19 11h-9a5 5 0 0 0 0 10h3",
  reset: "M5 12a7 7 0 1 1 2.2 5.1M5 20v-5h5",
  play: "M8 5v14l11-7z",
  pause: "M8 5v14M16 5v14",
  dice: "M5 5h14v14H5zM9 9h.01M15 15h.01M15 9h.01M9 15h.01",
  compare: "M12 4v16M5 6h4v12H5zM15 6h4v12h-4z",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  more: "M6 12h.01M12 12h.01M18 12h.01",
};

/** A line drawing that nobody needs to hear of. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A button with an icon and words; the words alone are heard. */
export function iconButton(name, words, onclick, more = {}) {
  return h("button", { type: "button", onclick, ...more }, icon(name), h("span", {}, words));
}

let hush = null;

/** Say something: shown for a while, and read aloud. */
export function say(words, kind = "") {
  const place = document.getElementById("said");
  place.textContent = words;
  place.className = `said shown ${kind}`;
  clearTimeout(hush);
  hush = setTimeout(() => place.classList.remove("shown"), kind === "trouble" ? 9000 : 4000);
}

export function paint(canvas, image) {
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Show a dialog with a title; it closes by Escape, its button, or a click beside it. */
export function dialog(title, ...content) {
  const heading = h("h2", { id: "dialog-title" }, title);
  const box = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "dialog-title" },
    h("div", { class: "dialog-head" }, heading,
      iconButton("close", "Close", () => box.close(), { class: "quiet bare" })),
    ...content,
  );
  box.addEventListener("click", (event) => event.target === box && box.close());
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}
