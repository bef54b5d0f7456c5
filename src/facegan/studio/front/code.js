// The Python that makes a face again.

import { faceKey, faceName, tidy } from "./face.js";
import { dialog, h, iconButton, say } from "./dom.js";

const python = (value) => (typeof value === "string" ? JSON.stringify(value) : String(value));

function dictionary(values) {
  return `{${Object.entries(values).map(([name, value]) => `${python(name)}: ${python(value)}`).join(", ")}}`;
}

/** Python that makes this face, and the command that does, where there is one. */
export function codeOf(face, model) {
  if (face.mix) return { python: wholeCode(face, model), command: mixCommand(face, model) };
  if (face.z === undefined && !face.parts) return plainCode(face, model);
  return { python: stepByStep(face, model), command: null };
}

/** Of a seed, with its labels and edits: one call. */
function plainCode(face, { source }) {
  const edited = Boolean(face.edits);
  const values = [python(source), edited ? '"face.png"' : 'out="face.png", n=1, grid=True', `seed=${face.seed}`];
  if (face.psi !== undefined) values.push(`truncation=${face.psi}`);
  for (const group of ["labels", "edits"]) if (face[group]) values.push(`${group}=${dictionary(face[group])}`);
  const words = ["facegan", edited ? "edit" : "generate", shellWord(source), "--out face.png"];
  if (!edited) words.push("--grid -n 1");
  words.push(`--seed ${face.seed}`);
  if (face.psi !== undefined) words.push(`--truncation ${face.psi}`);
  for (const [option, group] of [["--label", "labels"], ["--set", "edits"]]) {
    for (const [name, value] of Object.entries(face[group] ?? {})) words.push(`${option} ${shellWord(`${name}=${value}`)}`);
  }
  return {
    python: `import facegan\n\nfacegan.${edited ? "edit" : "generate"}(\n    ${values.join(",\n    ")},\n)`,
    command: words.join(" "),
  };
}

/** Of a mixture: the entry that its PNG holds. */
function wholeCode(face, model) {
  const lines = ["from PIL import Image", ""];
  lines.push("from facegan.editing.directions import directions_beside");
  lines.push("from facegan.editing.face import EditedFace, pictures_of");
  lines.push("from facegan.generation.generator import open_generator");
  lines.push("", `generator = open_generator(${python(model.source)}, device="cpu")`);
  lines.push(`face = EditedFace.of_entry(${python(JSON.stringify(tidy(face)))})`);
  lines.push("picture = pictures_of(generator, [face], directions_beside(generator.path))[0]");
  lines.push('Image.fromarray(picture.squeeze()).save("face.png")');
  return lines.join("\n");
}

/** The command that mixes, where the other face is a seed and no more. */
function mixCommand(face, model) {
  const { face: other, side } = face.mix;
  const alike = faceKey({ seed: other.seed, psi: face.psi, labels: face.labels }) === faceKey(other);
  if (face.seed === undefined || face.parts || !alike) return null;
  return `${plainCode({ ...face, edits: face.edits ?? {} }, model).command} --mix ${other.seed}@${side}`;
}

/** Of a latent, or one moved along components: everything by hand. */
function stepByStep(face, model) {
  const lines = ["import numpy as np", "import torch", "from PIL import Image", ""];
  lines.push("from facegan.generation.generator import open_generator");
  lines.push("from facegan.generation.samples import image_inputs");
  if (face.edits) lines.push("from facegan.editing.directions import require_directions");
  if (face.parts) lines.push("from facegan.editing.components import moved");
  lines.push("", `generator = open_generator(${python(model.source)}, device="cpu")`);
  if (face.z === undefined) {
    lines.push(`z, labels = image_inputs(generator.loaded.generator, ${face.seed})`);
  } else {
    const decoded = (text) => `torch.tensor(np.frombuffer(base64.b64decode(${python(text)}), np.float32))[None]`;
    lines.unshift("import base64");
    lines.push(`z = ${decoded(face.z)}`);
    if (face.row) lines.push(`labels = ${decoded(face.row)}`);
    else lines.push(model.labels.length ? `labels = torch.full((1, ${model.labels.length}), torch.nan)` : "labels = None");
  }
  if (face.labels) {
    lines.push("names = [label.name for label in generator.labels]");
    lines.push(`for name, value in ${dictionary(face.labels)}.items():`);
    lines.push("    label = generator.labels[names.index(name)]");
    lines.push("    labels[:, names.index(name)] = (value - label.mean) / label.std");
  }
  if (face.psi !== undefined) lines.push(`z = z * ${face.psi}`);
  if (face.edits) {
    lines.push("directions = require_directions(generator.path)");
    lines.push(`z = torch.from_numpy(directions.moved(z.numpy(), ${dictionary(face.edits)}))`);
  }
  if (face.parts) lines.push(`z = moved(generator, z, ${dictionary(face.parts)})`.replaceAll(/"(\d+)":/g, "$1:"));
  lines.push("picture = generator.pictures_at(z, labels)[0]", 'Image.fromarray(picture.squeeze()).save("face.png")');
  return lines.join("\n");
}

function shellWord(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export function showCode(face, model) {
  const { python: text, command } = codeOf(face, model);
  const block = (words) => h("div", { class: "code" },
    h("pre", { tabindex: 0, "aria-label": "Code" }, h("code", {}, words)),
    iconButton("link", "Copy", () => copyText(words, "The code is copied."), { class: "quiet" }));
  dialog(`${faceName(face)} from Python`, block(text),
    ...(command ? [h("h3", {}, "As a command"), block(command)] : []));
}

export async function copyText(words, said) {
  try {
    await navigator.clipboard.writeText(words);
    say(said);
  } catch {
    // A page from a file may not have the clipboard: a field to copy from by hand.
    const field = h("textarea", { readonly: true, rows: 6, "aria-label": "To copy" });
    field.value = words;
    dialog("Copy this", field);
    field.select();
  }
}
