// What the page shows of its runs: curves, a line for each, one item's row.

const last = (run) => run.points.at(-1)?.[1];
const latest = (kind) => runs.filter((run) => run.kind === kind).at(-1);

/** The latest run of each kind in words. */
function summary() {
  const told = Object.values(WAYS).map(latest).filter((run) => run?.points.length);
  return told.map((run) => `${NAMED[run.kind]}: nDCG@100 ${three(last(run))} after ${run.points.length - 1} epochs, ${run.seconds.toFixed(1)} s.`).join(" ");
}

function levels() {
  const known = data.known ? [{ kind: "known", name: "planted segments known", value: data.known }] : [];
  return [{ kind: "popular", name: "most popular items", value: data.popular }, ...known];
}

let waiting = 0; // for the browser to draw

/** Once for all that comes before the browser draws: small sets have epochs of milliseconds. */
function showSoon() {
  waiting ||= requestAnimationFrame(() => {
    waiting = 0;
    show();
  });
}

function show() {
  showChart();
  showRuns();
  showRow();
}

function showChart() {
  if (!data) return;
  const current = Object.values(WAYS).map(latest).filter(Boolean);
  const earlier = runs.filter((run) => run.kind === "ours" && !current.includes(run)).slice(-FAINT_RUNS);
  const curves = [...earlier.map((run) => ({ ...run, faint: true })), ...current];
  const epochs = Math.max(data.recommended.epochs, ...current.map((run) => run.epochs));
  drawChart(part("chart"), curves, levels(), epochs);
  const lines = levels().map(({ name, value }) => `${name} ${three(value)}`).join("; ");
  part("chart").setAttribute("aria-label", `nDCG at 100 by epoch, on held-out users. ${summary()} To compare: ${lines}.`);
  part("legend").replaceChildren(
    ...current.map((run) => legendItem(run.kind, `${NAMED[run.kind]}${run.points.length ? ` ${three(last(run))}` : ""}`)),
    ...levels().map(({ kind, name, value }) => legendItem(kind, `${name} ${three(value)}`)),
  );
}

/** A line for each run of this data, the newest first. */
function showRuns() {
  const names = ["way", "nonzeros", "floor", "hidden", "rate", "start", "end", "epochs", "seconds"];
  const rows = runs.filter((run) => run.points.length).reverse().map((run) => [
    NAMED[run.kind], run.setting.nnz, run.setting.floor, WORDS.hiding(run.setting.hiding), run.setting.rate,
    three(run.points[0][1]), three(last(run)), `${run.points.length - 1}${run.state === "stopped" ? ", stopped" : ""}`, run.seconds.toFixed(1),
  ]);
  part("runs").hidden = !rows.length;
  part("runs").replaceChildren(make("table", {},
    make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map(([first, ...cells]) => make("tr", {}, make("th", { scope: "row" }, first), ...cells.map((cell) => make("td", {}, String(cell))))))));
}

function showRow() {
  if (!data) return;
  const item = Number(itemSelect.value), [ours, theirs] = Object.values(WAYS).map(latest);
  const empty = make("p", { class: "celsa-note" }, "Nothing has been trained yet.");
  part("ours").replaceChildren(...(ours?.now ? ourRow(item, data, ours.start, ours.now, ours.points.length - 1) : [empty]));
  part("theirs").replaceChildren(...(theirs?.now ? theirRow(item, data.titles, theirs.now, theirs.points.length - 1) : []));
}
