// All that the page shows, as one object; its history; and a link that holds it.

import { checkedFace, tidy } from "./face.js";

export const VIEWS = ["faces", "walk", "photograph", "watch"];
const LONGEST_HISTORY = 200;
const MOST_KEPT = 500;

export function emptyState() {
  return {
    view: "faces",
    start: 0,
    psi: 1,
    labels: {},
    open: null,
    kept: [],
    loop: true,
    seconds: 2,
  };
}

/** A state from outside, as far as it makes sense for this generator. */
export function checkedState(given, model) {
  const state = emptyState();
  if (typeof given !== "object" || given === null) return state;
  const number = (value, low, high) =>
    typeof value === "number" && Number.isFinite(value) && value >= low && value <= high;
  if (VIEWS.includes(given.view)) state.view = given.view;
  if (Number.isSafeInteger(given.start) && given.start >= 0) state.start = given.start;
  if (number(given.psi, 0, 1)) state.psi = given.psi;
  if (typeof given.loop === "boolean") state.loop = given.loop;
  if (number(given.seconds, 0.2, 20)) state.seconds = given.seconds;
  for (const label of model.labels) {
    const value = given.labels?.[label.name];
    if (number(value, -1e6, 1e6)) state.labels[label.name] = value;
  }
  if (given.open) state.open = checkedFace(given.open, model);
  if (Array.isArray(given.kept)) {
    state.kept = given.kept.slice(0, MOST_KEPT).map((face) => checkedFace(face, model)).filter(Boolean);
  }
  return state;
}

const url64 = {
  encode: (text) =>
    btoa(String.fromCharCode(...new TextEncoder().encode(text)))
      .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""),
  decode: (text) =>
    new TextDecoder().decode(
      Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)),
    ),
};

/** The part of a link after #: what differs from a new page. */
export function hashOf(state) {
  const empty = emptyState();
  const changed = Object.entries(state).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(empty[name]),
  );
  if (!changed.length) return "";
  return `#${url64.encode(JSON.stringify(Object.fromEntries(changed)))}`;
}

export function stateOfHash(hash, model) {
  if (hash.length < 2) return emptyState();
  try {
    return checkedState(JSON.parse(url64.decode(hash.slice(1))), model);
  } catch {
    return null;
  }
}

/** The state, what it was, and who wants to know when it changes. */
export class Store {
  constructor(state) {
    this.state = state;
    this.past = [];
    this.future = [];
    this.listeners = [];
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  /** Change something. Places (the view, the first seed of the wall) are no history. */
  set(changes, { history = true } = {}) {
    const before = this.state;
    this.state = { ...before, ...changes };
    if (this.state.open) this.state.open = tidy(this.state.open);
    if (JSON.stringify(before) === JSON.stringify(this.state)) return;
    if (history) {
      this.past.push(before);
      if (this.past.length > LONGEST_HISTORY) this.past.shift();
      this.future = [];
    }
    this.tell(before);
  }

  undo() {
    this.go(this.past, this.future);
  }

  redo() {
    this.go(this.future, this.past);
  }

  go(from, to) {
    if (!from.length) return;
    const before = this.state;
    to.push(before);
    this.state = { ...from.pop(), view: before.view };
    this.tell(before);
  }

  replace(state) {
    const before = this.state;
    this.state = state;
    this.tell(before);
  }

  tell(before) {
    for (const listener of this.listeners) listener(this.state, before);
  }
}
