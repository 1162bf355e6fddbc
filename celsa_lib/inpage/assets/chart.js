// Curves of nDCG@100 against epochs: both ways to train, earlier runs, and levels to compare with.

const DASHES = { ours: "", theirs: "7 4", popular: "2 4", known: "10 3 2 3" };
const HEIGHT = 280;
const three = (value) => value.toFixed(3);

/** curves: {kind, points: [[epoch, ndcg], …], faint}; levels: {kind, name, value}. */
function drawChart(svg, curves, levels, epochs) {
  const W = Math.max(svg.clientWidth, 260), left = 46, right = W - 12, top = 10, bottom = HEIGHT - 36;
  const values = [...curves.flatMap(({ points }) => points.map(([, ndcg]) => ndcg)), ...levels.map(({ value }) => value)];
  const ticks = ticksOf(Math.min(...values), Math.max(...values)), [low, high] = [ticks[0], ticks.at(-1)];
  const x = (epoch) => left + (epoch / epochs) * (right - left);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  const text = (at, value, more) => makeSvg("text", { x: at[0], y: at[1], ...more }, value);
  const each = [1, 2, 5, 10, 20].find((step) => epochs / step <= 11) ?? 50;
  const marks = Array.from({ length: Math.floor(epochs / each) + 1 }, (_, n) => n * each);
  svg.setAttribute("viewBox", `0 0 ${W} ${HEIGHT}`);
  svg.replaceChildren(
    ...ticks.map((tick) => makeSvg("path", { d: `M${left} ${y(tick)}H${right}`, class: "celsa-grid" })),
    ...ticks.map((tick) => text([left - 6, y(tick)], tick.toFixed(2), { dy: "0.35em", "text-anchor": "end" })),
    ...marks.map((epoch) => text([x(epoch), bottom + 16], String(epoch), { "text-anchor": "middle" })),
    text([(left + right) / 2, HEIGHT - 4], "epochs", { "text-anchor": "middle" }),
    ...levels.map(({ kind, value }) => makeSvg("path", { d: `M${left} ${y(value)}H${right}`, class: "celsa-level", "stroke-dasharray": DASHES[kind] })),
    ...curves.filter(({ points }) => points.length).map((curve) => drawCurve(curve, x, y)),
  );
}

function drawCurve({ kind, points, faint }, x, y) {
  const places = points.map(([epoch, ndcg]) => [x(epoch).toFixed(1), y(ndcg).toFixed(1)]);
  const line = makeSvg("path", { d: `M${places.join("L")}`, class: "celsa-curve", "stroke-dasharray": DASHES[kind] });
  const marks = faint ? [] : [places.at(-1)].map((place) => markOf(kind, ...place.map(Number)));
  return makeSvg("g", { class: `celsa-${kind}${faint ? " celsa-faint" : ""}` }, line, ...marks);
}

/** A circle for ours, a square for theirs. */
function markOf(kind, x, y) {
  if (kind === "ours") return makeSvg("circle", { cx: x, cy: y, r: 4.5, class: "celsa-mark" });
  return makeSvg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, class: "celsa-mark" });
}

/** Even steps that hold both ends. */
function ticksOf(low, high) {
  const step = [0.01, 0.02, 0.05, 0.1, 0.2].find((size) => (high - low) / size <= 5) ?? 0.25;
  const from = Math.floor(low / step), to = Math.max(from + 1, Math.ceil(high / step));
  return Array.from({ length: to - from + 1 }, (_, n) => (from + n) * step);
}

/** A line of the legend: a sample, a name and the last number. */
function legendItem(kind, name) {
  const isCurve = kind === "ours" || kind === "theirs";
  const line = makeSvg("path", { d: "M0 6H34", class: isCurve ? "celsa-curve" : "celsa-level", "stroke-dasharray": DASHES[kind] });
  const sample = makeSvg("svg", { viewBox: "0 0 34 12", class: `celsa-${kind}`, "aria-hidden": "true" }, line);
  if (isCurve) sample.append(markOf(kind, 17, 6));
  return make("li", {}, sample, name);
}
