// The interactive figures: sliders, and what follows from them. Each element with data-figure="name"
// becomes that figure; the pages work without this script and say so.
(() => {
"use strict";

// Parts

/** An element with attributes and children; strings become text. */
const make = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
const makeSvg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const whole = (value) => value.toLocaleString("en-US");
const signed = (value) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(2);
const colour = (name) => `--c: var(--celsa-${name})`;
const range = (from, to, step = 1) => Array.from({ length: Math.max(0, Math.floor((to - from) / step) + 1) }, (_, i) => from + i * step);

/** A labelled slider over the whole numbers min … max; `words` says what a position means. */
function slider(label, { min, max, value, words = whole }, changed) {
  const input = make("input", { type: "range", min, max, step: 1, value });
  const shown = make("span", { class: "celsa-value", "aria-hidden": "true" });
  const update = () => {
    shown.textContent = words(input.valueAsNumber);
    input.setAttribute("aria-valuetext", words(input.valueAsNumber));
  };
  input.addEventListener("input", () => { update(); changed(); });
  update();
  return { input, node: make("label", {}, make("span", {}, label), shown, input) };
}

const table = (head, body) =>
  make("div", { class: "celsa-scroll" }, make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))), body));

/** What screen readers say after a change; `shown` where the figure does not show the same. */
const status = (shown = false) => make("p", { role: "status", class: shown ? "" : "celsa-heard" });

// Schedules, as in celsa_lib.models.schedules: nonzeros in each epoch

const repeated = (values, times) => values.flatMap((value) => Array(times).fill(value));

function levels(width, nnz) {
  const ladder = [nnz];
  while (ladder[0] * 2 <= Math.floor(width / 4)) ladder.unshift(ladder[0] * 2);
  return nnz < width ? [width, ...ladder] : [width];
}

const SCHEDULES = {
  constant: (width, nnz, epochs) => repeated([nnz], epochs),
  linear(width, nnz, epochs) {
    const steps = (levels(width, nnz).length - 1) * epochs;
    const falling = range(0, steps - 1).map((t) => width - Math.floor(((width - nnz) * t) / steps));
    return [...falling, ...repeated([nnz], epochs)];
  },
  exponential(width, nnz, epochs) {
    const falling = nnz < width ? [width] : [];
    for (let i = 1, k; (k = Math.floor(width * 2 ** -(i / epochs + 1))) > nnz; i++) falling.push(k);
    return [...falling, ...repeated([nnz], epochs)];
  },
  "step-wise": (width, nnz, epochs) => repeated(levels(width, nnz), epochs),
};
const DASHES = { constant: "", linear: "9 4", exponential: "", "step-wise": "3 3" };

/** Dense epochs that train as many numbers. */
const work = (nonzeros, width) => nonzeros.reduce((sum, k) => sum + k, 0) / width;

function schedules(root) {
  const power = (value) => whole(2 ** value);
  const width = slider("Width d", { min: 8, max: 13, value: 12, words: power }, draw);
  const nnz = slider("Final nonzeros k", { min: 0, max: 7, value: 4, words: power }, draw);
  const epochs = slider("Final epochs E", { min: 1, max: 20, value: 10 }, draw);
  const svg = makeSvg("svg", { role: "img" });
  const body = make("tbody"), said = status();
  root.append(
    make("div", { class: "celsa-controls" }, width.node, nnz.node, epochs.node), svg,
    table(["schedule", "epochs in all", "training work, in dense epochs"], body), said,
  );

  function draw() {
    const [d, k, E] = [2 ** width.input.valueAsNumber, 2 ** nnz.input.valueAsNumber, epochs.input.valueAsNumber];
    const curves = Object.entries(SCHEDULES).map(([name, nonzeros]) => [name, nonzeros(d, k, E)]);
    const rows = curves.map(([name, ks]) => [name, whole(ks.length), work(ks, d).toFixed(2)]);
    body.replaceChildren(...rows.map(([name, ...cells]) =>
      make("tr", { style: colour(name) }, make("th", { scope: "row" }, sample(name), name), ...cells.map((text) => make("td", {}, text)))));
    const texts = rows.map(([name, total, share]) => `${name} ${total} epochs, work of ${share} dense epochs`);
    said.textContent = `From ${whole(d)} to ${k} nonzeros with E = ${E}: ${texts.join("; ")}.`;
    svg.setAttribute("aria-label", `Nonzeros per item by epoch, logarithmic. ${said.textContent}`);
    drawCurves(svg, curves, d, k);
  }
  new ResizeObserver(draw).observe(svg);
}

const line = (name, d) => makeSvg("path", { d, class: "celsa-curve", style: colour(name), "stroke-dasharray": DASHES[name] });
const sample = (name) => makeSvg("svg", { class: "celsa-sample", viewBox: "0 0 30 10", "aria-hidden": "true" }, line(name, "M0 5H30"));

/** Steps of nonzeros (log) against epochs, with both axes, in the width that `svg` has. */
function drawCurves(svg, curves, width, nnz) {
  const W = Math.max(svg.clientWidth, 260), H = 260, left = 60, right = W - 14, top = 12, bottom = H - 40;
  const total = Math.max(...curves.map(([, ks]) => ks.length));
  const doublings = Math.log2(width / nnz);
  const x = (epoch) => left + (epoch / total) * (right - left);
  const y = (k) => bottom - (Math.log2(k / nnz) / doublings) * (bottom - top);
  const text = (at, value, more) => makeSvg("text", { x: at[0], y: at[1], ...more }, value);
  const each = [1, 2, 5, 10, 20, 50, 100].find((step) => total / step <= 8);
  const rows = range(0, doublings, Math.ceil(doublings / 6)).map((power) => nnz * 2 ** power);
  const path = (ks) => `M${left} ${y(ks[0]).toFixed(1)}` +
    ks.map((k, t) => `V${y(k).toFixed(1)}H${x(t + 1).toFixed(1)}`).join("");
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.replaceChildren(
    ...rows.map((k) => makeSvg("path", { d: `M${left} ${y(k)}H${right}`, class: "celsa-grid" })),
    ...rows.map((k) => text([left - 6, y(k)], whole(k), { dy: "0.35em", "text-anchor": "end" })),
    ...range(0, total, each).map((t) => text([x(t), bottom + 16], whole(t), { "text-anchor": "middle" })),
    text([(left + right) / 2, H - 6], "epochs", { "text-anchor": "middle" }),
    text([12, (top + bottom) / 2], "nonzeros per item (log)", { "text-anchor": "middle", transform: `rotate(-90 12 ${(top + bottom) / 2})` }),
    ...curves.map(([name, ks]) => line(name, path(ks))),
    ...curves.map(([name, ks]) => makeSvg("circle", { cx: x(ks.length), cy: y(ks.at(-1)), r: 4, style: colour(name) })),
  );
}

// One row under S_k

/** The k largest |values| (of equals the first) at unit length, 0 elsewhere; as equation (topk). */
function kept(values, k) {
  const order = [...values.keys()].sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  const stays = new Set(order.slice(0, k));
  return unit(values.map((value, place) => (stays.has(place) ? value : 0)));
}

function unit(values) {
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
}

const cosine = (a, b) => unit(a).reduce((sum, value, place) => sum + value * unit(b)[place], 0);

function topK(root) {
  const dense = unit(JSON.parse(root.dataset.values));
  const nnz = slider("Nonzeros k", { min: 1, max: dense.length, value: 4 }, draw);
  const body = make("tbody"), said = status(true);
  root.append(make("div", { class: "celsa-controls" }, nnz.node), said, table(["latent", "", "dense", "sparse"], body));

  function draw() {
    const k = nnz.input.valueAsNumber, sparse = kept(dense, k);
    const bytes = [8 * k, 4 * dense.length];
    body.replaceChildren(...dense.map((value, place) => make("tr", { class: sparse[place] ? "celsa-kept" : "celsa-dropped" },
      make("th", { scope: "row" }, String(place + 1)), make("td", { class: "celsa-bars" }, bars(value, sparse[place])),
      make("td", {}, signed(value)), make("td", {}, sparse[place] ? signed(sparse[place]) : "0"))));
    const compared = bytes[0] < bytes[1] ? "instead of the" : bytes[0] > bytes[1] ? "more than the" : "as many as the";
    said.textContent = `${k} of ${dense.length} kept. Cosine with the dense row: ${cosine(dense, sparse).toFixed(3)}. ` +
      `${bytes[0]} bytes, ${compared} ${bytes[1]} of the dense row.`;
  }
  draw();
}

/** A signed bar, and a frame around what it grows to when the row has length 1 again. */
function bars(value, grown) {
  const bar = (to, name, y, height) =>
    makeSvg("rect", { x: Math.min(0, to), y, width: Math.abs(to), height, class: name });
  return makeSvg("svg", { viewBox: "-1 0 2 1", preserveAspectRatio: "none", "aria-hidden": "true" },
    bar(grown, "celsa-grown", 0.08, 0.84), bar(value, "celsa-bar", 0.22, 0.56), makeSvg("path", { d: "M0 0V1", class: "celsa-zero" }));
}

// Latents in use after each epoch of a run

function latents(root) {
  const runs = JSON.parse(root.querySelector("script").textContent);
  const epoch = slider("Epochs done", { min: 1, max: runs[0].nnz.length, value: 1 }, draw);
  const parts = runs.map(({ schedule }) => ({ caption: make("figcaption"), svg: makeSvg("svg", { role: "img" }), schedule }));
  const said = status();
  root.prepend(
    make("div", { class: "celsa-controls" }, epoch.node),
    make("div", { class: "celsa-pair" }, ...parts.map(({ svg, caption, schedule }) => make("figure", { style: colour(schedule) }, svg, caption))),
    said,
  );
  root.querySelector("details").open = false;

  function draw() {
    const t = epoch.input.valueAsNumber - 1;
    const texts = runs.map(({ schedule, nnz, used }, place) => {
      const { svg, caption } = parts[place], now = used[t];
      const text = `${schedule}: ${nnz[t]} nonzeros, ${count(now)} of ${now.length} latents in use`;
      caption.textContent = text;
      svg.setAttribute("aria-label", text);
      drawCells(svg, now);
      return text;
    });
    said.textContent = `After epoch ${t + 1}. ${texts.join("; ")}.`;
  }
  draw();
}

const count = (bits) => bits.split("1").length - 1;

/** A square a latent: filled where at least one item uses it, a small ring where none does. */
function drawCells(svg, bits) {
  const columns = Math.ceil(Math.sqrt(bits.length));
  svg.setAttribute("viewBox", `0 0 ${columns} ${Math.ceil(bits.length / columns)}`);
  svg.replaceChildren(...[...bits].map((bit, place) => {
    const x = place % columns, y = Math.floor(place / columns);
    return bit === "1" ? makeSvg("rect", { x: x + 0.08, y: y + 0.08, width: 0.84, height: 0.84, class: "celsa-alive" })
      : makeSvg("circle", { cx: x + 0.5, cy: y + 0.5, r: 0.2, class: "celsa-dead" });
  }));
}

const FIGURES = { schedules, "top-k": topK, latents };
window.celsaFigures = { SCHEDULES, work, kept, cosine };
document.addEventListener("DOMContentLoaded", () => {
  for (const root of document.querySelectorAll("[data-figure]")) FIGURES[root.dataset.figure](root);
});
})();
