// One item's row: ours as a bar for each latent, which is an item, theirs as a strip of all latents.

const LARGEST = 1.05; // of a value in a row of length 1
const MOST_LATENTS = 14; // beside the item's own

/** [column, value] of the nonzeros of an item's row. */
function nonzerosOf({ starts, columns, unit }, item) {
  const found = [];
  for (let k = starts[item]; k < starts[item + 1]; k++) if (unit[k]) found.push([columns[k], unit[k]]);
  return found;
}

/** The row of `item` now, in the order and beside the values that it had at the start. */
function ourRow(item, { titles, segments }, start, now, epoch) {
  const before = new Map(nonzerosOf(start, item)), after = new Map(nonzerosOf(now, item));
  const order = [...before.keys()].sort((a, b) => before.get(b) - before.get(a));
  const others = order.filter((latent) => latent !== item), more = others.length - MOST_LATENTS;
  const caption = `${titles[item]} ${when(epoch)}: ${after.size} nonzeros, ${8 * after.size} bytes, times ` +
    `${now.output[item].toFixed(2)} as output and ${now.input[item].toFixed(2)} as input.`;
  const head = ["latent of", "", "value", "at the start", ...(segments ? ["segment"] : [])];
  const numeric = (name) => (name === "value" || name === "at the start" ? { class: "celsa-number" } : {});
  const rows = [item, ...others.slice(0, MOST_LATENTS)].map((latent) => make("tr", {},
    make("th", { scope: "row" }, latent === item ? "itself" : titles[latent]),
    make("td", { class: "celsa-bar celsa-ours" }, bar(after.get(latent) ?? 0, before.get(latent))),
    make("td", { class: "celsa-number" }, (after.get(latent) ?? 0).toFixed(2)),
    make("td", { class: "celsa-number" }, before.get(latent).toFixed(2)),
    ...(segments ? [make("td", {}, segments[latent] === segments[item] ? "the same" : "another")] : [])));
  return [
    make("p", { class: "celsa-note" }, caption),
    make("table", {}, make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col", ...numeric(name) }, name)))), make("tbody", {}, ...rows)),
    ...(more > 0 ? [make("p", { class: "celsa-note" }, `And ${more} more, which began smaller.`)] : []),
  ];
}

const when = (epoch) => (epoch ? `after epoch ${epoch}` : "at the start");

/** A bar for a value, and a stroke where it began. */
function bar(value, before) {
  const at = (number) => (Math.abs(number) / LARGEST) * 100;
  return makeSvg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    makeSvg("rect", { x: 0, y: 2, width: at(value), height: 6 }),
    makeSvg("path", { d: `M${at(before)} 0V10`, class: "celsa-before" }));
}

/** All latents of a row of the paper's pruning from left to right, up for positive values. */
function theirRow(item, titles, now, epoch) {
  const found = nonzerosOf(now, item), most = Math.max(...found.map(([, value]) => Math.abs(value)));
  const text = `${titles[item]} under the paper’s pruning, ${when(epoch)}: ${found.length} nonzeros among ${now.width} latents.`;
  const bars = found.map(([column, value]) => `M${column} 0h1v${((-value / most) * 48).toFixed(1)}h-1z`);
  const svg = makeSvg("svg", { viewBox: `0 -50 ${now.width} 100`, preserveAspectRatio: "none", role: "img", "aria-label": text },
    makeSvg("path", { d: `M0 0H${now.width}`, class: "celsa-grid" }), makeSvg("path", { d: bars.join("") }));
  return [make("p", { class: "celsa-note" }, text), make("div", { class: "celsa-strip celsa-theirs" }, svg)];
}
