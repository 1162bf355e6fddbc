// SQLite in a thread of its own, for `celsa_lib.demo.live_table`: the page stays alive while a
// statement runs, and one that never ends can be stopped. It hears "rows" once, then "run"s.
"use strict";
importScripts("sqlite/sql-wasm-browser.js");

const MOST_ROWS = 200;
const LONGEST = 300; // letters of a cell
const TABLES = `
CREATE TABLE items (item INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE postings (latent INTEGER, item INTEGER, value REAL, PRIMARY KEY (latent, item)) WITHOUT ROWID;
CREATE TABLE seen (item INTEGER PRIMARY KEY);
CREATE VIEW asked AS SELECT latent, sum(value) AS value FROM postings JOIN seen USING (item) GROUP BY latent;
`;

const sqlite = initSqlJs({ locateFile: (name) => `sqlite/${name}` });
let whole = null; // a promise of the file that each run begins with

/** Insert lines in one transaction, or SQLite would take seconds. */
function insert(database, table, lines) {
  const marks = lines[0]?.map(() => "?").join(", ");
  if (!marks) return;
  const statement = database.prepare(`INSERT INTO ${table} VALUES (${marks})`);
  database.run("BEGIN");
  for (const line of lines) statement.run(line);
  database.run("COMMIT");
  statement.free();
}

/** The bytes of a database with the rows in its tables. */
async function filled({ titles, values, columns, starts }) {
  const database = new (await sqlite).Database();
  database.exec(TABLES);
  insert(database, "items", titles.map((title, item) => [item, title]));
  const postings = titles.flatMap((_, item) =>
    Array.from({ length: starts[item + 1] - starts[item] }, (_, k) => {
      const entry = starts[item] + k;
      return [columns[entry], item, values[entry]];
    }),
  );
  insert(database, "postings", postings);
  const bytes = database.export();
  database.close();
  return bytes;
}

/** A cell that can be sent and shown: bytes as their number, long text cut. */
function shown(value) {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "string" && value.length > LONGEST ? `${value.slice(0, LONGEST)} …` : value;
}

/** Columns and first rows of the last statement that has any. */
function answerOf(database, sql) {
  let found = { columns: [], lines: [], more: false };
  for (const statement of database.iterateStatements(sql)) {
    const lines = [];
    while (lines.length <= MOST_ROWS && statement.step()) lines.push(statement.get().map(shown));
    const columns = statement.getColumnNames();
    if (columns.length) found = { columns, lines: lines.slice(0, MOST_ROWS), more: lines.length > MOST_ROWS };
  }
  return found;
}

async function run({ sql, seen }) {
  let database;
  try {
    const bytes = await whole;
    database = new (await sqlite).Database(bytes);
  } catch {
    return postMessage({ kind: "unavailable" });
  }
  postMessage({ kind: "ready" });
  try {
    insert(database, "seen", seen.map((item) => [item]));
    postMessage({ kind: "answer", ...answerOf(database, sql) });
  } catch (error) {
    postMessage({ kind: "refused", text: error.message });
  } finally {
    database.close();
  }
}

addEventListener("message", ({ data }) => {
  if (data.kind === "rows") whole = filled(data);
  else run(data);
});
