// The statement, what SQLite answers, and the library's list beside it. SQLite runs in a worker,
// `_static/sql-worker.js` of the book, which is asked for by the first run.

const LIMIT = 10_000; // milliseconds for a statement, once SQLite is there
const DIGITS = 6;

const { titles, rows, examples } = JSON.parse(document.getElementById("celsa-table-data").textContent);
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const sql = document.getElementById("celsa-table-sql");
const select = document.getElementById("celsa-table-example");
const example = () => examples[Number(select.value)];

let worker = null;
let timer = 0;
let running = false;

/** Where the book's static files are, whatever folder the page is in. */
const place = () => `${document.documentElement.dataset.content_root ?? "./"}_static/sql-worker.js`;

const say = (text) => { part("status").textContent = text; };
const textOf = (value) =>
  typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(DIGITS))) : String(value ?? "NULL");

function tableOf(columns, lines) {
  const head = make("tr", {}, ...columns.map((name) => make("th", { scope: "col" }, name)));
  const body = lines.map((line) => make("tr", {}, ...line.map((value) => make("td", {}, textOf(value)))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

function showExample() {
  const { items, best, scores } = example();
  part("seen").textContent = items.map((item) => titles[item]).join(" · ");
  const lines = best.map((item, k) => [item, titles[item], scores[k]]);
  part("library").replaceChildren(tableOf(["item", "title", "score"], lines));
  part("result").replaceChildren(make("p", { class: "celsa-note" }, "Nothing has run yet."));
  say("");
}

/** How the items of an answer compare with the library's list. */
function compared(columns, lines) {
  const column = columns.indexOf("item");
  const found = lines.map((line) => line[column]);
  const { best } = example();
  if (column < 0 || found.length !== best.length || !best.every((item) => found.includes(item))) {
    return "This is another list than the library’s.";
  }
  return best.every((item, k) => item === found[k])
    ? "The same list as the library’s."
    : "The library’s items in another order.";
}

function showAnswer({ columns, lines, more }) {
  if (!columns.length) {
    part("result").replaceChildren(make("p", { class: "celsa-note" }, "No rows to show."));
    return finish("The statement has run. It asks for no rows.");
  }
  part("result").replaceChildren(tableOf(columns, lines));
  const count = `${lines.length} ${lines.length === 1 ? "row" : "rows"}${more ? ", the first of more" : ""}.`;
  finish(`${count} ${compared(columns, lines)}`);
}

function showError(text) {
  part("result").replaceChildren(make("p", { class: "celsa-note" }, "No rows: the statement has failed."));
  finish(`SQLite says: ${text}`);
}

/** The worker could not be started: browsers differ in what they allow to a file. */
function giveUp() {
  stop();
  const asFile = location.protocol === "file:";
  part("as-file").hidden = !asFile;
  finish(asFile ? "SQLite has not been loaded." : "SQLite could not be loaded: the book’s static files are not where this page looks for them.");
}

function stop() {
  worker?.terminate();
  worker = null;
}

/** Not `disabled`, or a keyboard would lose its place. */
function setRunning(now) {
  running = now;
  part("run").setAttribute("aria-disabled", String(now));
}

function finish(text) {
  clearTimeout(timer);
  setRunning(false);
  say(text);
}

function tooLong() {
  stop();
  part("result").replaceChildren(make("p", { class: "celsa-note" }, "No rows: the statement was stopped."));
  finish(`Stopped: the statement took longer than ${LIMIT / 1000} seconds.`);
}

const HEARD = {
  ready() {
    say("Running …");
    timer = setTimeout(tooLong, LIMIT);
  },
  answer: showAnswer,
  refused: ({ text }) => showError(text),
  unavailable: giveUp,
};

function begin() {
  worker = new Worker(place());
  worker.addEventListener("message", ({ data }) => HEARD[data.kind](data));
  worker.addEventListener("error", giveUp);
  const { values, columns, starts } = rowsOf(rows);
  worker.postMessage({ kind: "rows", titles, values, columns, starts });
}

function run() {
  if (running) return;
  setRunning(true);
  say("Loading SQLite …");
  try {
    if (!worker) begin();
  } catch {
    return giveUp(); // Chromium refuses a worker to a file at once
  }
  worker.postMessage({ kind: "run", sql: sql.value, seen: example().items });
}

part("run").addEventListener("click", run);
sql.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
select.addEventListener("change", showExample);
showExample();
