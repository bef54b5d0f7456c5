// The Python that makes a face again.

import { faceName } from "./face.js";
import { dialog, h, iconButton, say } from "./dom.js";

const python = (value) => (typeof value === "string" ? JSON.stringify(value) : String(value));

function dictionary(values) {
  return `{${Object.entries(values).map(([name, value]) => `${python(name)}: ${python(value)}`).join(", ")}}`;
}

/** Python and, where it suffices, a command that make this face. */
export function codeOf(face, model) {
  const { source } = model;
  const lines = [
    "import numpy as np",
    "import torch",
    "from PIL import Image",
    "",
    "from facegan.generation.generator import open_generator",
    "from facegan.generation.samples import image_inputs",
  ];
  if (face.edits) lines.push("from facegan.editing.directions import require_directions");
  lines.push("", `generator = open_generator(${python(source)}, device="cpu")`);
  if (face.z === undefined) {
    lines.push(`z, labels = image_inputs(generator.loaded.generator, ${face.seed})`);
  } else {
    lines.push("import base64", `z = np.frombuffer(base64.b64decode(${python(face.z)}), np.float32)`, "z = torch.tensor(z)[None]");
    lines.push(face.row
      ? `labels = torch.tensor(np.frombuffer(base64.b64decode(${python(face.row)}), np.float32))[None]`
      : model.labels.length ? `labels = torch.full((1, ${model.labels.length}), torch.nan)` : "labels = None");
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
  if (face.parts) {
    lines.push("from facegan.studio.components import moved");
    lines.push(`z = moved(generator, z, ${dictionary(face.parts)})`.replaceAll(/"(\d+)":/g, "$1:"));
  }
  lines.push("picture = generator.pictures_at(z, labels)[0]", "Image.fromarray(picture.squeeze()).save(\"face.png\")");
  const plain = face.z === undefined && !face.edits && !face.parts;
  const words = plain
    ? ["facegan generate", shellWord(source), "--out face.png --grid -n 1", `--seed ${face.seed}`,
      ...(face.psi === undefined ? [] : [`--truncation ${face.psi}`]),
      ...Object.entries(face.labels ?? {}).map(([name, value]) => `--label ${shellWord(`${name}=${value}`)}`)]
    : null;
  return { python: lines.join("\n"), command: words?.join(" ") ?? null };
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
