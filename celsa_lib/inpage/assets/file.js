// The reader's own file: dropped or chosen, looked at in a worker, its columns chosen, then taken.

/** `ask(message)` goes to a worker, `say` to the reader, `taken` gets the histories. */
function fileForm({ part, ask, say, limits, seed, taken }) {
  const input = document.getElementById("celsa-train-file"), drop = part("drop"), columns = part("columns");

  function look(file) {
    if (!file) return;
    columns.hidden = true;
    say(`Reading ${file.name} …`);
    ask({ kind: "look", file, limits }, { table: (layout) => showColumns(file, layout) });
  }

  function showColumns(file, layout) {
    const form = chooser(layout);
    const button = make("button", { type: "button" }, "Take this file");
    button.addEventListener("click", () => {
      say(`Dividing ${file.name} …`);
      ask({ kind: "take", choice: form.choice(), limits, seed }, { data: (data) => taken(data, file.name) });
    });
    columns.replaceChildren(form.node, make("p", {}, button));
    columns.hidden = false;
    say(`${file.name}: ${layout.names.length} columns between ${layout.separator}. Check them, then take the file.`);
  }

  input.addEventListener("change", () => {
    look(input.files[0]);
    input.value = ""; // so that the same file, mended, can be chosen again
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("celsa-over", kind === "dragover");
      if (kind === "drop") look(event.dataTransfer.files[0]);
    });
  }
}

/** Which columns are users, items and ratings, and whether the first line is a header. */
function chooser({ header, names, lines, user, item, rating, least }) {
  const options = (none) => [
    ...(none ? [make("option", { value: -1 }, "none: every line counts")] : []),
    ...names.map((name, column) => make("option", { value: column }, name || `column ${column + 1}`)),
  ];
  const select = (text, value, none) => {
    const node = make("select", { autocomplete: "off" }, ...options(none));
    node.value = String(value);
    return { node, label: make("label", {}, text, node) };
  };
  const users = select("Users", user), items = select("Items", item), ratings = select("Ratings", rating, true);
  const lowest = make("input", { type: "number", value: least, step: "any", autocomplete: "off" });
  const first = make("input", { type: "checkbox", autocomplete: "off" });
  first.checked = header;
  const shown = make("tbody", {}, ...lines.map((line) => make("tr", {}, ...names.map((_, c) => make("td", {}, short(line[c] ?? ""))))));
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, short(name))));
  const node = make("div", {},
    make("div", { class: "celsa-scroll", role: "group", "aria-label": "First lines of the file", tabindex: 0 }, make("table", {}, make("thead", {}, head), shown)),
    make("div", { class: "celsa-chosen" }, users.label, items.label, ratings.label,
      make("label", {}, "Lowest rating that counts", lowest), make("label", {}, first, " the first line is a header")));
  const number = ({ node: chosen }) => Number(chosen.value);
  const choice = () => ({ header: first.checked, user: number(users), item: number(items), rating: number(ratings), least: lowest.valueAsNumber || 0 });
  return { node, choice };
}

const short = (text) => (text.length > 30 ? `${text.slice(0, 30)} …` : text);
