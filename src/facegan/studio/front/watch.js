// The runs of a folder while they train: samples over time, curves, diagnosis, scores. Read only.

import { h, svg } from "./dom.js";

const PAUSE = 3000;
const WIDTH = 360, HEIGHT = 150, LEFT = 44, BOTTOM = 20, TOP = 8, RIGHT = 8;

export function makeWatch(app) {
  if (!app.can.watch) return { element: h("div", {}), render: () => {} };
  const chosen = [null, null];
  const columns = [makeColumn(app), makeColumn(app)];
  const list = h("div", { class: "runs", role: "group", "aria-label": "Runs" });
  const note = h("p", { class: "note" }, "The runs are being read…");
  let timer = null;

  const choose = (id) => {
    const at = chosen.indexOf(id);
    if (at >= 0) {
      chosen[at] = null;
      if (at === 0) chosen.reverse();
    } else chosen[chosen[0] === null ? 0 : 1] = id;
    look();
  };
  const look = async () => {
    clearTimeout(timer);
    if (app.store.state.view !== "watch") return;
    try {
      const { runs } = await app.get("/api/runs");
      if (chosen[0] === null && !chosen.touched && runs.length) chosen[0] = runs[0].id;
      chosen.touched = true;
      drawList(runs);
      await Promise.all(columns.map((column, i) => column.show(chosen[i])));
    } catch (error) {
      app.trouble(error);
    }
    timer = setTimeout(look, PAUSE);
  };
  const drawList = (runs) => {
    const focused = document.activeElement?.dataset?.run;
    list.replaceChildren(...runs.map((run) => h("button", {
      type: "button", class: "run", "data-run": run.id, "aria-pressed": String(chosen.includes(run.id)), onclick: () => choose(run.id),
    }, h("strong", {}, run.name), h("span", {}, `${run.recipe}, ${kimgText(run.seen)} of ${kimgText(run.total)}`), h("span", { class: `state ${run.state}` }, run.state))));
    if (focused !== undefined) list.querySelector(`[data-run="${CSS.escape(focused)}"]`)?.focus();
    note.textContent = runs.length ? "Choose a run, or two to see them side by side." : "There is no run here yet.";
  };
  return {
    element: h("div", { class: "watch" }, note, list, h("div", { class: "columns" }, ...columns.map((column) => column.element))),
    render: look,
  };
}

function kimgText(images) {
  return `${Number((images / 1000).toPrecision(4))} kimg`;
}

let columnCount = 0;

/** One run: its parts are kept and filled again, so that nothing jumps while it is looked at. */
function makeColumn(app) {
  const id = `samples-${columnCount++}`;
  const title = h("h2", {}, "Run");
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Trained so far" });
  const image = h("img", { class: "samples", alt: "" });
  const slider = h("input", { type: "range", id, min: 0, max: 0, value: 0, step: 1 });
  const when = h("output", { for: id });
  const facts = h("p", { class: "note" });
  const findings = h("div", {}), curves = h("div", { class: "curves" }), scores = h("div", {});
  const over = h("div", { class: "control" }, h("label", { for: id }, "Samples at"), slider, when);
  const element = h("section", { class: "column", hidden: true }, title, bar, facts,
    h("div", { class: "column-parts" }, h("div", {}, image, over), h("div", {}, findings, scores, curves)));
  let shown = null, names = [], following = true;

  const sample = () => {
    const name = names[Number(slider.value)];
    image.hidden = !name;
    if (!name) return;
    const source = `/api/runs/${encodeURIComponent(shown)}/samples/${encodeURIComponent(name)}`;
    if (!image.src.endsWith(source)) image.src = source;
    when.textContent = `${Number(name.replace(/k\.png$/, ""))} kimg`;
    image.alt = `Samples at ${when.textContent}`;
  };
  slider.addEventListener("input", () => {
    following = Number(slider.value) === names.length - 1;
    sample();
  });
  const show = async (run) => {
    element.hidden = run === null;
    if (run === null) {
      shown = null;
      return;
    }
    if (run !== shown) following = true;
    shown = run;
    const found = await app.get(`/api/runs/${encodeURIComponent(run)}`);
    if (run !== shown) return;
    title.textContent = found.name;
    element.setAttribute("aria-label", `Run ${found.name}`);
    bar.value = found.total ? found.seen / found.total : 0;
    facts.textContent = `${found.recipe} on ${found.dataset}: ${kimgText(found.seen)} of ${kimgText(found.total)}${found.speed ? `, ${Math.round(found.speed)} images/s` : ""}, ${found.state}`;
    names = found.samples;
    slider.max = Math.max(0, names.length - 1);
    slider.disabled = names.length < 2;
    if (following) slider.value = slider.max;
    sample();
    findings.replaceChildren(h("h3", {}, "Diagnosis"),
      found.findings.length
        ? h("ul", { class: "findings" }, ...found.findings.map((one) => h("li", {}, h("strong", {}, `${kimgText(one.images_seen)}: `), one.said, h("span", { class: "note" }, one.helps))))
        : h("p", { class: "note" }, "Nothing to worry about so far."));
    scores.replaceChildren(h("h3", {}, "Scores"),
      found.scores.length
        ? h("table", {}, h("thead", {}, h("tr", {}, ...["kimg", "score", "generated", "real floor"].map((words) => h("th", { scope: "col" }, words)))),
            h("tbody", {}, ...found.scores.map((row) => h("tr", {}, h("td", {}, `${row.images_seen / 1000}`), h("td", {}, row.name), h("td", {}, row.generated.toPrecision(3)), h("td", {}, row.real.toPrecision(3))))))
        : h("p", { class: "note" }, "Nothing was measured yet."));
    curves.replaceChildren(h("h3", {}, "Curves"), ...found.curves.map(chart));
  };
  return { element, show };
}

/** A small chart of lines over kimg: { title, lines: [{ name, points: [[x, y], …] }] }. */
function chart({ title, lines }) {
  const all = lines.flatMap((line) => line.points);
  const xs = all.map(([x]) => x), ys = all.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  if (y0 === y1) [y0, y1] = [y0 - 1, y1 + 1];
  const toX = (x) => LEFT + ((x - x0) / (x1 - x0 || 1)) * (WIDTH - LEFT - RIGHT);
  const toY = (y) => TOP + (1 - (y - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const words = (value) => `${Number(value.toPrecision(3))}`;
  const label = (x, y, text, anchor) => svg("text", { x, y, "text-anchor": anchor }, text);
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}, ${lines.map((line) => `${line.name} is ${words(line.points.at(-1)[1])} at last`).join(", ")}` },
    svg("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }),
    label(LEFT - 5, TOP + 8, words(y1), "end"), label(LEFT - 5, HEIGHT - BOTTOM, words(y0), "end"),
    label(LEFT, HEIGHT - 6, words(x0), "start"), label(WIDTH - RIGHT, HEIGHT - 6, `${words(x1)} kimg`, "end"),
    ...lines.map((line, i) => svg("polyline", { class: `line line-${i}`, points: line.points.map(([x, y]) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(" ") })));
  return h("figure", { class: "chart" }, h("figcaption", {}, h("strong", {}, title), ...lines.map((line, i) => h("span", { class: `key key-${i}` }, line.name))), picture);
}
