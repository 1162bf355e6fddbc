// The reader's own table: separator, header and columns found, and what is wrong said with its line.

const SEPARATORS = { ",": "commas", ";": "semicolons", "\t": "tabs" };
const SHOWN_LINES = 3, LOOKED_AT = 50;
const MOST_LINES = 100; // of a quoted value: beyond, a mark is missing
const FEWEST_HELD_OUT = 25, MOST_HELD_OUT = 500;
const NAMES = {
  user: /user|customer|client|reader|member|visitor|session/i,
  item: /item|movie|film|book|product|article|track|song|artist|title|isbn|asin/i,
  rating: /rating|score|stars|value/i,
};

/** What the reader can mend; its text is shown. */
class FileError extends Error {}

const whole = (value) => Number(value).toLocaleString("en-US");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const numberOf = (text) => (text.trim() ? Number(text.replace(",", ".")) : NaN); // a decimal comma too
const isNumber = (text) => Number.isFinite(numberOf(text));

/** The text of a file. Throws FileError for a large one and for what is no text. */
async function textOf(file, limits) {
  if (file.size > limits.bytes) {
    throw new FileError(`${file.name} has ${megabytes(file.size)}, and the page reads up to ${megabytes(limits.bytes)}. ` +
      "Keep fewer of its rows or columns, or train on it with celsa train.");
  }
  const bytes = await file.arrayBuffer();
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    text = new TextDecoder("windows-1252").decode(bytes);
  }
  if (text.includes("\0")) throw new FileError(`${file.name} holds bytes that are no text. Save the table as CSV.`);
  if (!text.trim()) throw new FileError(`${file.name} is empty.`);
  return text;
}

/** Lines as lists of fields, with their numbers; blank ones are left out. */
function* fieldsOf(text, separator) {
  let number = 0;
  for (let start = 0; start < text.length;) {
    const from = ++number;
    let end = endOfLine(text, start);
    while (isOpen(text, start, end, separator)) {
      if (end >= text.length || number - from > MOST_LINES) {
        throw new FileError(`Line ${whole(from)} opens a quotation mark that nothing closes. Close it, or take it out.`);
      }
      end = endOfLine(text, end + 1);
      number++;
    }
    const line = text.slice(start, end).replace(/\r$/, "");
    if (line.trim()) yield [split(line, separator), from];
    start = end + 1;
  }
}

function endOfLine(text, start) {
  const end = text.indexOf("\n", start);
  return end < 0 ? text.length : end;
}

/** Whether the line so far ends within a quoted field. */
function isOpen(text, start, end, separator) {
  const quote = text.indexOf('"', start);
  if (quote < 0 || quote >= end) return false;
  return walk(text.slice(start, end), separator).open;
}

function split(line, separator) {
  const fields = line.includes('"') ? walk(line, separator).fields : line.split(separator);
  return fields.map((field) => field.trim());
}

/** The fields of a line with quotation marks, doubled within a quoted one. */
function walk(line, separator) {
  const fields = [];
  let field = "", open = false;
  for (let k = 0; k < line.length; k++) {
    const letter = line[k];
    if (open && letter === '"' && line[k + 1] === '"') field += line[k++];
    else if (letter === '"' && (open || !field.trim())) open = !open;
    else if (letter === separator && !open) fields.push(field), (field = "");
    else field += letter;
  }
  return { fields: [...fields, field], open };
}

/** The first lines, at most `most`. */
function firstLines(text, separator, most) {
  const lines = [];
  for (const [fields] of fieldsOf(text, separator)) if (lines.push(fields) === most) break;
  return lines;
}

/** The separator that cuts the first line into most fields. Throws FileError where none does. */
function separatorOf(text, name) {
  const counts = Object.keys(SEPARATORS).map((one) => [one, firstLines(text, one, 1)[0].length]);
  const [separator, count] = counts.reduce((a, b) => (b[1] > a[1] ? b : a));
  if (count < 2) {
    throw new FileError(`The first line of ${name} has one column. The page looks for two or more, a user and an item in each ` +
      `line, between ${Object.values(SEPARATORS).join(", ")}.`);
  }
  return separator;
}

/** What a text looks like: {separator, header, names, lines, user, item, rating, least}; columns by
 * position, rating −1 where none seems to be one. */
function layoutOf(text, name) {
  const separator = separatorOf(text, name), lines = firstLines(text, separator, LOOKED_AT);
  const [first, ...rest] = lines;
  const numeric = (column) => rest.length > 0 && rest.every((line) => isNumber(line[column] ?? ""));
  const isName = (field) => !/\d/.test(field) && [...Object.values(NAMES), /id$/i].some((pattern) => pattern.test(field));
  const named = first.some(isName);
  const header = !first.some(isNumber) && (named || first.some((_, column) => numeric(column)));
  const body = header ? rest : lines, places = first.map((_, column) => column);
  const like = (kind, taken) => (header ? places.find((c) => !taken.includes(c) && NAMES[kind].test(first[c])) : undefined);
  const user = like("user", []) ?? 0;
  const item = like("item", [user]) ?? places.find((c) => c !== user);
  const others = places.filter((c) => c !== user && c !== item);
  const values = (column) => body.map((line) => numberOf(line[column] ?? ""));
  const isRating = (column) => numeric(column) && Math.max(...values(column)) <= 10 && new Set(values(column)).size > 1;
  const rating = like("rating", [user, item]) ?? (header ? undefined : others.find(isRating)) ?? -1;
  const most = rating < 0 ? 0 : Math.max(...values(rating));
  const names = header ? first : first.map((_, column) => `column ${column + 1}`);
  const shown = body.slice(0, SHOWN_LINES);
  const least = [[1, 1], [5, 4]].find(([top]) => most <= top)?.[1] ?? 7;
  return { separator: SEPARATORS[separator], header, names, lines: shown, user, item, rating, least };
}

/** Pairs of ids that count. choice: {header, user, item, rating, least}. */
function pairsOf(text, name, choice) {
  const separator = separatorOf(text, name), pairs = { users: [], items: [], read: 0 };
  let width = 0, skip = choice.header;
  for (const [fields, number] of fieldsOf(text, separator)) {
    width ||= fields.length;
    if (fields.length !== width) {
      throw new FileError(`Line ${whole(number)} has ${fields.length} ${fields.length === 1 ? "field" : "fields"} and the first line has ${width}. ` +
        "Quote values that hold the separator, or take the line out.");
    }
    if (skip) {
      skip = false;
      continue;
    }
    pairs.read++;
    if (!counts(fields, number, choice)) continue;
    pairs.users.push(fields[choice.user]);
    pairs.items.push(fields[choice.item]);
  }
  return pairs;
}

/** Whether a line counts. Throws FileError for one without an id, or with a rating that is none. */
function counts(fields, number, { user, item, rating, least }) {
  for (const [column, what] of [[user, "user"], [item, "item"]]) {
    if (!fields[column]) throw new FileError(`Line ${whole(number)} has no ${what}. Take it out, or choose another column.`);
  }
  if (rating < 0) return true;
  if (!isNumber(fields[rating])) {
    throw new FileError(`Line ${whole(number)}: “${fields[rating].slice(0, 40)}” is no number, and ratings are. Choose another column, or none.`);
  }
  return numberOf(fields[rating]) >= least;
}

/** Histories of users with enough items, each item once, and the items' ids as titles. */
function historiesOf(text, name, choice, limits) {
  if (choice.user === choice.item) throw new FileError("Users and items are in the same column. Choose two.");
  const pairs = pairsOf(text, name, choice), histories = new Map();
  pairs.users.forEach((user, n) => {
    if (!histories.has(user)) histories.set(user, new Set());
    histories.get(user).add(pairs.items[n]);
  });
  const enough = [...histories.values()].filter((items) => items.size >= limits.items_each);
  const places = new Map();
  for (const items of enough) for (const item of items) if (!places.has(item)) places.set(item, places.size);
  checkSize(pairs, enough, places, limits);
  const rows = enough.map((items) => [...items].map((item) => places.get(item)).sort((a, b) => a - b));
  return { rows, titles: [...places.keys()] };
}

function checkSize(pairs, enough, places, limits) {
  const found = `${whole(enough.length)} users with ${limits.items_each} items or more, and ${whole(places.size)} items, in ` +
    `${whole(pairs.users.length)} rows that count of ${whole(pairs.read)}`;
  if (enough.length < limits.least_users || places.size < limits.least_items) {
    throw new FileError(`Too little to learn from: ${found}. The page needs ${limits.least_users} users and ${limits.least_items} items.`);
  }
  if (enough.length > limits.users || places.size > limits.items || enough.length * places.size > limits.cells) {
    throw new FileError(`Too much for a page: ${found}. It takes up to ${whole(limits.users)} users, ${whole(limits.items)} items, and ` +
      `${whole(limits.cells)} users × items. Keep fewer of them, or train on the file with celsa train.`);
  }
}

/** Users in random order: most to train, the last ones held out, a fifth of each of their histories
 * to be found. */
function divided({ rows, titles }, random) {
  shuffle(rows, random);
  const heldOut = Math.min(MOST_HELD_OUT, Math.max(FEWEST_HELD_OUT, Math.floor(rows.length / 10)));
  const given = [], target = [];
  for (const row of rows.slice(rows.length - heldOut)) {
    const order = shuffle(row.slice(), random), cut = Math.round(row.length / 5);
    target.push(order.slice(0, cut));
    given.push(order.slice(cut));
  }
  const pack = (lists) => packHistories(lists, titles.length);
  return { titles, train: pack(rows.slice(0, rows.length - heldOut)), given: pack(given), target: pack(target) };
}

/** Lists of items as {starts, items, nItems}. */
function packHistories(lists, nItems) {
  const starts = new Uint32Array(lists.length + 1);
  lists.forEach((list, user) => { starts[user + 1] = starts[user] + list.length; });
  return { starts, items: Uint32Array.from(lists.flatMap((list) => [...list].sort((a, b) => a - b))), nItems };
}
