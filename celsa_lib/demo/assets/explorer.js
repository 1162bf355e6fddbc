// One item looked at from all sides: its row, the items nearest to it, its segment, and the inverted
// list of a latent.

const N_NEAREST = 8;
const N_MEMBERS = 12;
const N_POSTINGS = 12;

let explored = null;

/** Show what the model on the slider knows of `item`; `moving` to it where it was asked for above. */
function explore(item, moving = false) {
  explored = item;
  const { rows, segments } = model;
  part("item").replaceChildren(titles[item], " ", quiet(about[item]));
  const row = entries(rows, item).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const filled = row.filter(({ value }) => value);
  part("row-size").textContent = `${filled.length} of ${grouped(rows.width)} numbers are not zero. Choose a latent to see who else has it.`;
  const largest = Math.abs(filled[0]?.value ?? 1);
  part("row").replaceChildren(...filled.slice(0, 2 * N_POSTINGS).map((entry) => showEntry(entry, largest)));
  part("nearest").replaceChildren(
    ...nearestTo(model, item, N_NEAREST).map(({ item: other, value }) => showOther(other, value.toFixed(2))),
  );
  const segment = segments?.ofItem[item];
  part("its-segment").textContent = segments ? segments.labels[segment] : "none";
  const others = (segments?.members[segment] ?? []).filter((other) => other !== item);
  const popular = others.sort((a, b) => places[a] - places[b]).slice(0, N_MEMBERS);
  part("members").replaceChildren(...popular.map((other) => showOther(other, "")));
  if (filled.length) showPostings(filled[0].latent, filled[0].value > 0);
  if (!moving) return;
  part("explorer").scrollIntoView({ block: "start" });
  document.getElementById("celsa-demo-explore").focus({ preventScroll: true });
}

/** A number of the row: the latent's name, a bar and the value. */
function showEntry({ latent, value }, largest) {
  const bar = make("span", { class: "celsa-bar", "aria-hidden": "true" }, make("span"));
  bar.firstChild.style.width = `${(100 * Math.abs(value)) / largest}%`;
  const name = nameOf(latent, value > 0);
  return make("li", {}, button({ class: "celsa-name" }, () => showPostings(latent, value > 0), name), bar, make("span", { class: "celsa-score" }, signed(value)));
}

/** An item to go on to. */
function showOther(item, value) {
  return make(
    "li",
    {},
    button({ class: "celsa-name", "aria-label": `Look inside ${titles[item]}` }, () => explore(item), titles[item]),
    make("span", { class: "celsa-score" }, value),
  );
}

/** The rows that hold a latent: what an index of it lists. */
function showPostings(latent, up) {
  const found = postings(model, latent);
  part("latent").textContent = nameOf(latent, up);
  part("postings-size").textContent = `In ${grouped(found.length)} of ${grouped(model.rows.rows)} rows, the largest first.`;
  part("postings").replaceChildren(...found.slice(0, N_POSTINGS).map(({ item, value }) => showOther(item, signed(value))));
}
