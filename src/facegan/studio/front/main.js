// The page: begins with one engine or the other, and holds the views together.

import { checkedFace, faceChanges, faceName, readModel, tidy } from "./face.js";
import { PageEngine, Pictures, ServerEngine } from "./engine.js";
import { pngBytes, pngTexts, saveFile, zipBytes } from "./files.js";
import { copyText, showCode } from "./code.js";
import { readGuesser } from "./inversion.js";
import { h, iconButton, say, dialog } from "./dom.js";
import { hashOf, stateOfHash, emptyState, Store } from "./store.js";
import { encodedFace, makePanel } from "./panel.js";
import { keepFace, makeTray } from "./tray.js";
import { makePhotograph } from "./photograph.js";
import { makeWall } from "./wall.js";
import { makeWalk, recorderType } from "./walk.js";
import { makeWatch } from "./watch.js";

const FACE_ENTRY = "facegan.face";
const TITLES = { faces: "Faces", walk: "Walk", photograph: "Photograph", watch: "Watch" };

async function begin() {
  const boot = JSON.parse(document.getElementById("boot").textContent);
  const app = boot.model ? await pageApp(boot) : await serverApp();
  app.trouble = (error) => say(error?.message ?? String(error), "trouble");
  const model = app.model;
  document.title = model.name ? `${model.name} · facegan studio` : "facegan studio";
  document.getElementById("model-name").textContent = model.name ?? "";
  document.getElementById("model-facts").textContent = model.facts ?? "";
  const store = (app.store = new Store(stateOfHash(location.hash, model) ?? emptyState()));
  if (!app.can.faces && store.state.view !== "watch") store.state = { ...store.state, view: "watch" };
  if (app.can.faces) app.pictures = new Pictures(model, app.engine);

  Object.assign(app, {
    encoded: (face) => encodedFace(face, model),
    fileName: () => (model.name ?? "facegan").replaceAll(/[^\w.-]+/g, "-"),
    keep: (face) => keepFace(app, face),
    showCode: (face) => showCode(face, model),
    copyLink: () => copyText(location.href, "The link is copied. It holds all that you see."),
    provenance: (face) => provenance(model, face),
    savePng: async (face) => {
      const bytes = await pngBytes(await app.pictures.ask(face), provenance(model, face));
      saveFile(bytes, `${app.fileName()}-${pictureName(face)}.png`, "image/png");
      say("Saved. Drop the picture here to have this face again.");
    },
    saveZip: async () => {
      const { kept } = store.state, members = await keptPngs(app);
      const list = { model: model.name, recipe: model.recipe, faces: kept };
      members.push(["faces.json", new TextEncoder().encode(JSON.stringify(list, null, 1))]);
      saveFile(zipBytes(members), `${app.fileName()}-faces.zip`, "application/zip");
      say(`${kept.length} faces are saved.`);
    },
    saveDataset: async () => {
      if (!app.server) return savePictureFolder(app);
      const faces = store.state.kept.map((face) => ({ ...app.encoded(face), name: pictureName(face), edits: face.edits ?? {} }));
      const answer = await app.request("/api/dataset", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ faces }),
      }).catch(app.trouble);
      if (answer) saveFile(await answer.arrayBuffer(), `${app.fileName()}-dataset.zip`, "application/zip");
    },
  });

  const views = {};
  if (app.can.faces) {
    const panel = makePanel(app), tray = makeTray(app), wall = makeWall(app);
    app.open = (face, from) => {
      store.set({ open: face, view: store.state.view === "walk" ? "faces" : store.state.view });
      panel.focus(from);
    };
    app.focusPanel = () => panel.focus(null);
    views.faces = wall;
    views.walk = makeWalk(app);
    views.photograph = makePhotograph(app);
    document.body.append(panel.element, tray.element);
    wall.begin();
    panel.render();
    tray.render();
  }
  if (app.can.watch) views.watch = makeWatch(app);
  document.getElementById("begin").remove();
  const main = document.getElementById("main");
  const bar = document.getElementById("views");
  for (const [name, { element }] of Object.entries(views)) {
    main.append(h("section", { id: `view-${name}`, "aria-label": TITLES[name], hidden: true }, element));
    bar.append(h("button", { type: "button", id: `to-${name}`, onclick: () => store.set({ view: name }, { history: false }) }, TITLES[name]));
  }
  const undo = iconButton("undo", "Undo", () => store.undo(), { class: "quiet", id: "undo" });
  const redo = iconButton("redo", "Redo", () => store.redo(), { class: "quiet", id: "redo" });
  const help = iconButton("more", "About", () => showAbout(app), { class: "quiet", id: "about" });
  document.getElementById("tools").append(...(app.can.faces ? [undo, redo] : []), help);

  const render = (state) => {
    const shown = views[state.view] ? state.view : Object.keys(views)[0];
    for (const name of Object.keys(views)) {
      document.getElementById(`view-${name}`).hidden = name !== shown;
      document.getElementById(`to-${name}`).setAttribute("aria-current", name === shown ? "page" : "false");
    }
    document.body.dataset.view = shown;
    undo.disabled = !store.past.length;
    redo.disabled = !store.future.length;
  };
  store.listen((state, before) => {
    render(state);
    if (state.view !== before.view) views[state.view]?.render?.();
    history.replaceState(null, "", hashOf(state) || location.pathname + location.search);
  });
  render(store.state);
  views[document.body.dataset.view].render?.();
  addEventListener("hashchange", () => {
    const state = stateOfHash(location.hash, model);
    if (state && hashOf(state) !== hashOf(store.state)) store.set(state);
  });
  addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input[type=number], input[type=text], textarea");
    if (!(event.ctrlKey || event.metaKey) || typing || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) store.redo();
    else store.undo();
  });
  acceptDrops(app);
  document.body.classList.add("ready");
  // What tests and benchmarks look at.
  window.facegan = { store, pictures: app.pictures, model };
}

/** The exported page: everything is in this file. */
async function pageApp(boot) {
  const model = readModel(boot.model);
  model.guesser = readGuesser(boot.model.guessing);
  const engine = new PageEngine(model);
  await engine.start();
  const films = ["apng", ...(recorderType() ? ["recorded"] : [])];
  return { model, engine, server: false, can: { faces: true, films, photograph: model.guesser !== null, reader: false, dataset: true, watch: false } };
}

/** The studio: everything is asked of the server that the page came from. */
async function serverApp() {
  const app = { server: true };
  app.request = async (path, options) => {
    const answer = await fetch(path, options);
    if (!answer.ok) {
      const said = await answer.json().catch(() => ({}));
      throw new Error([said.error ?? `The server answers ${answer.status}.`, said.hint].filter(Boolean).join(" "));
    }
    return answer;
  };
  app.get = async (path) => (await app.request(path)).json();
  app.post = async (path, values) =>
    (await app.request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values) })).json();
  const about = await app.get("/api/model");
  app.can = about.can;
  app.can.films = [...about.can.films, "apng", ...(recorderType() ? ["recorded"] : [])];
  app.model = about.model ? readModel(about.model) : { name: null, facts: "", labels: [], directions: [], components: [], numbers: 0 };
  const lost = document.getElementById("lost");
  app.engine = new ServerEngine(() => (lost.hidden = false), () => (lost.hidden = true));
  return app;
}

function pictureName(face) {
  return face.z === undefined ? `seed${String(face.seed).padStart(6, "0")}${faceChanges(face) ? "-edited" : ""}` : faceName(face).toLowerCase();
}

/** The kept faces as PNG files, [[name, bytes], …]. */
async function keptPngs(app) {
  const members = [], taken = new Set();
  for (const face of app.store.state.kept) {
    let name = pictureName(face);
    for (let i = 2; taken.has(name); i++) name = `${pictureName(face)}-${i}`;
    taken.add(name);
    members.push([`${name}.png`, await pngBytes(await app.pictures.ask(face), provenance(app.model, face))]);
  }
  return members;
}

/** The kept faces as a dataset without a server: pictures, and a table of their edits as labels. */
async function savePictureFolder(app) {
  const { kept } = app.store.state, members = await keptPngs(app);
  const edits = [...new Set(kept.flatMap((face) => Object.keys(face.edits ?? {})))].sort();
  const quoted = (word) => (/[",\n]/.test(word) ? `"${word.replaceAll('"', '""')}"` : word);
  const rows = kept.map((face, i) => [members[i][0], ...edits.map((name) => String(face.edits?.[name] ?? 0))]);
  const table = [["file_name", ...edits], ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
  members.push(["metadata.csv", new TextEncoder().encode(table)]);
  saveFile(zipBytes(members), `${app.fileName()}-dataset.zip`, "application/zip");
  say(`A dataset of ${kept.length} faces is saved.`);
}

/** What a picture says of itself; the same entries as facegan's own files have. */
function provenance(model, face) {
  const about = [["model", model.name], ["recipe", model.recipe], ["kimg", model.kimg], ["dataset", model.dataset]];
  const texts = {
    DigitalSourceType: "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    Software: `facegan ${model.version}`,
    Comment: "Generated by a neural network; not a photograph.",
    "facegan.model": about.filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => `${name}: ${value}`).join("; "),
  };
  if (face?.seed !== undefined) texts["facegan.seed"] = String(face.seed);
  if (face) texts[FACE_ENTRY] = JSON.stringify({ model: model.sha256, ...tidy(face) });
  return texts;
}

/** The face, or the first seed, that a PNG's texts tell of; null for none. */
function faceOfTexts(texts, model) {
  if (texts[FACE_ENTRY]) {
    const given = JSON.parse(texts[FACE_ENTRY]);
    const face = checkedFace(given, model);
    return face && { face, foreign: given.model !== undefined && given.model !== model.sha256 };
  }
  const seed = /^\d+/.exec(texts["facegan.seed"] ?? "");
  if (!seed) return null;
  const psi = Number(/truncation: ([\d.]+)/.exec(texts["facegan.model"] ?? "")?.[1] ?? 1);
  const face = checkedFace({ seed: Number(seed[0]), psi, labels: labelsOf(texts["facegan.model"] ?? "") }, model);
  const name = /(?:^|; )model: ([^;]+)/.exec(texts["facegan.model"] ?? "")?.[1];
  return face && { face, foreign: name !== undefined && name !== model.name, several: !/^\d+$/.test(texts["facegan.seed"]) };
}

/** The labels that a picture was asked for with: `labels: Hat=1, years=60`. */
function labelsOf(text) {
  const said = /(?:^|; )labels: ([^;]+)/.exec(text)?.[1].split(", ") ?? [];
  return Object.fromEntries(said.map((pair) => [pair.slice(0, pair.lastIndexOf("=")), Number(pair.slice(pair.lastIndexOf("=") + 1))]));
}

/** Pictures that are dropped anywhere: facegan's own restore their face, others are photographs. */
function acceptDrops(app) {
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (!file || !app.can.faces) return;
    try {
      await restoreFrom(app, new Uint8Array(await file.arrayBuffer()));
    } catch {
      say("This file cannot be read.", "trouble");
    }
  });
}

async function restoreFrom(app, bytes) {
  const texts = await pngTexts(bytes);
  const found = texts && faceOfTexts(texts, app.model);
  if (!found) {
    say(app.can.photograph ? "That is no picture by facegan. For a photograph, go to Photograph." : "That is no picture by facegan.", "trouble");
    return;
  }
  const { face, foreign, several } = found;
  if (several) app.store.set({ view: "faces", start: face.seed, psi: face.psi ?? 1 });
  else app.store.set({ view: "faces", open: face });
  say(foreign ? "The picture is by another generator: this is what this one makes of it." : `${faceName(face)} is back.`);
}

function showAbout(app) {
  const { model } = app;
  const keys = [["Arrow keys", "from face to face"], ["Enter", "open a face"], ["K", "keep it"], ["Escape", "close it"], ["Ctrl Z, Ctrl Shift Z", "undo, redo"]];
  const facts = [["Model", model.name], ["Recipe", model.recipe], ["Trained on", model.dataset], ["Licence of its data", model.licence], ["Pictures", model.resolution && `${model.resolution} px`]];
  dialog("About", h("p", {}, "Every face here is generated by a neural network. None is a photograph, and none is of a person; a face can still resemble somebody. Do not use it to deceive."),
    h("dl", {}, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))])),
    h("h3", {}, "Keys"), h("dl", {}, ...keys.flatMap(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)])),
    h("p", { class: "note" }, app.server ? "Everything is computed on the machine that this page came from." : "Everything is computed in this page. Nothing leaves this device. ONNX Runtime Web is © Microsoft, MIT licence."));
}

begin().catch((error) => {
  console.error(error);
  const place = document.getElementById("main");
  place.replaceChildren(h("p", { class: "trouble fatal" }, `The page cannot begin: ${error.message}`));
});
