// The page: what is picked, which model answers, and how the answer is shown.

const N_ITEMS = 10;
const N_SEGMENTS = 5;
const N_REASONS = 3;
const N_NUMBERS = 12;
const N_ENDS = 3; // of a segment's latents, where each of its items has one
const FIRST_BYTES = 128; // the budget shown first

const contents = JSON.parse(document.getElementById("celsa-demo-data").textContent);
const { titles, about, places } = contents;
const models = contents.models.map(modelOf);
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const field = document.getElementById("celsa-demo-search");

let picked = contents.personas.length ? [...contents.personas[0].items] : [];
let model = nearest(models.filter(({ label }) => label === models[0].label), FIRST_BYTES);
let sizes = sizesOf(model.label); // the models on the slider
let shown = null; // the answer on the screen

/** The model whose size is next to `bytes`. */
function nearest(among, bytes) {
  const far = (other) => Math.abs(Math.log(other.bytes / bytes));
  return among.reduce((best, other) => (far(other) < far(best) ? other : best));
}

/** Models of a method, smallest first, and after them the dense one. */
function sizesOf(label) {
  return models.filter((other) => other.label === label || other.dense);
}

const say = (text) => { part("status").textContent = text; };
const arrowOf = (up) => (up ? "↑" : "↓");
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
const grouped = (number) => number.toLocaleString("en");
const quiet = (text) => make("span", { class: "celsa-quiet" }, text);
const badge = (number) => make("span", { class: `celsa-badge celsa-color-${number}` }, String(number));

function button(attributes, action, ...children) {
  const made = make("button", { type: "button", ...attributes }, ...children);
  made.addEventListener("click", action);
  return made;
}

function pick(item) {
  if (picked.includes(item)) return;
  picked.push(item);
  update(`${titles[item]} picked, ${picked.length} in all`);
}

function drop(item) {
  picked = picked.filter((other) => other !== item);
  update(`${titles[item]} taken out, ${picked.length} left`);
}

/** Answer again, show it and say it. A button that goes away hands its focus to the one in its place. */
function update(message) {
  const active = document.activeElement;
  const home = root.contains(active) ? active.closest("[data-part]") : null;
  const place = home ? [...home.querySelectorAll("button")].indexOf(active) : -1;
  render();
  say(`${message}. ${picked.length ? `First of the list: ${titles[shown.items[0]]}` : ""}`);
  if (place < 0 || active.isConnected) return;
  const left = [...home.querySelectorAll("button")];
  (left[Math.min(place, left.length - 1)] ?? field).focus();
}

function render() {
  shown = answer(model, picked, N_ITEMS, N_SEGMENTS);
  part("empty").hidden = picked.length > 0;
  part("answer").hidden = !picked.length;
  showPicks();
  showModel();
  if (!picked.length) return;
  part("list").replaceChildren(...shown.items.map(showItem));
  showLatents();
  part("segments").replaceChildren(...showSegments());
}

function showPicks() {
  const chips = picked.map((item) =>
    make("li", {}, titles[item], button({ "aria-label": `Take out ${titles[item]}` }, () => drop(item), "×")),
  );
  const clear = button({ class: "celsa-clear" }, () => { picked = []; update("Nothing is picked"); }, "Clear all");
  part("picks").replaceChildren(...chips, ...(picked.length > 1 ? [make("li", {}, clear)] : []));
  contents.personas.forEach(({ items }, k) => {
    const same = items.length === picked.length && items.every((item) => picked.includes(item));
    part("personas").children[k].setAttribute("aria-pressed", String(same));
  });
}

/** What the slider says. */
const sizeOf = ({ bytes, dense, size }) =>
  `${grouped(Math.round(bytes))} bytes per item${dense ? ", dense" : ""}, the whole model ${size}`;

function showModel() {
  const { dense, bytes, size, ndcg, rows } = model;
  const count = dense ? rows.width : rows.values.length / rows.rows;
  const uneven = new Set(rows.starts.slice(1).map((end, row) => end - rows.starts[row])).size > 1;
  const unit = dense ? " bytes per item, dense" : " bytes per item";
  part("bytes").replaceChildren(make("strong", {}, grouped(Math.round(bytes))), unit);
  part("size").textContent = size;
  part("layout").textContent = dense
    ? `${count} numbers`
    : `${Number(count.toFixed(1))} of ${grouped(rows.width)} numbers${uneven ? " on average" : ""}`;
  const reference = dense ? undefined : models.find((other) => other.dense);
  part("ndcg").textContent = ndcg.toFixed(3) + (reference ? `, dense ${reference.ndcg.toFixed(3)}` : "");
  part("slider").value = String(sizes.indexOf(model));
  part("slider").setAttribute("aria-valuetext", sizeOf(model));
  [...part("ticks").children].forEach((tick, k) => tick.classList.toggle("celsa-now", sizes[k] === model));
}

function showItem(item, place) {
  const score = shown.scores[item];
  const share = Math.max(0, score) / Math.max(shown.scores[shown.items[0]], 1e-9);
  const bar = make("span", { class: "celsa-bar", "aria-hidden": "true" }, make("span"));
  bar.firstChild.style.width = `${(100 * share).toFixed(1)}%`;
  const why = make("details", {}, make("summary", {}, "Why"));
  why.addEventListener("toggle", () => why.open && why.children.length === 1 && why.append(explain(item)));
  return make(
    "li",
    {},
    make("span", { class: "celsa-rank", "aria-hidden": "true" }, String(place + 1)),
    make("span", { class: "celsa-title" }, titles[item], " ", quiet(about[item])),
    make("span", { class: "celsa-score" }, score.toFixed(2)),
    button({ class: "celsa-add", "aria-label": `Pick ${titles[item]}` }, () => pick(item), "+"),
    bar,
    why,
  );
}

/** picks → latent → segment → item, for the latents that speak most for it. */
function explain(item) {
  const lines = reasons(model, picked, shown.latents, item, N_REASONS).map(({ latent, up, share, segment, picks }) =>
    make(
      "li",
      {},
      make("span", {}, together(picks)),
      make("span", {}, nameOf(latent, up)),
      ...(segment === undefined ? [] : [showLink(segment)]),
      make("span", {}, `${signed(share)} of ${shown.scores[item].toFixed(2)}`),
    ),
  );
  return lines.length ? make("ol", { class: "celsa-chain" }, ...lines) : make("p", {}, "No latent speaks for it.");
}

/** Titles of picks as a sum; of many, the first three. */
function together(items) {
  const names = items.slice(0, N_REASONS).map((item) => titles[item]);
  const rest = items.length - names.length;
  return [...names, ...(rest ? [`${rest} more`] : [])].join(" + ");
}

/** A segment in a chain, with its number where it has an arrow. */
function showLink(segment) {
  const marked = shown.segments.find((other) => other.segment === segment);
  return make("span", {}, ...(marked ? [badge(marked.number), " "] : []), model.segments.labels[segment]);
}

function showLatents() {
  const { latents } = shown;
  const segments = drawnSegments();
  const active = latents.filter((value) => value !== 0).length;
  const drawn = model.latentsAreItems ? ", and only they are drawn" : "";
  const lead = `${grouped(active)} of ${grouped(latents.length)} latents are not zero${drawn}.`;
  const named = segments.map(({ number, label, latents: ends }) => `${number} ${label}, ${listed(ends)}`);
  drawFigure();
  part("figure").setAttribute("aria-label", `Your latents as bars. ${lead} Arrows: ${named.join("; ") || "none"}.`);
  part("caption").textContent = segments.length
    ? `Grey: your picks’ vectors added up. Arrows: the latents of your segments. ${lead}`
    : `Grey: your picks’ vectors added up. ${lead}`;
  part("key").replaceChildren(
    ...segments.map(({ number, label, latents: ends }) => make("li", {}, badge(number), label, quiet(listed(ends)))),
  );
  const largest = best(latents.map(Math.abs), latents.keys(), N_NUMBERS).filter((latent) => latents[latent]);
  part("numbers").replaceChildren(...largest.map((latent) => showNumber(latent, latents[latent])));
}

/** What a signed latent is called: where latents are items, by the item. */
function nameOf(latent, up) {
  return model.latentsAreItems ? `latent of ${titles[latent]}` : `latent ${latent} ${arrowOf(up)}`;
}

/** The latents of a segment that are shown: where each of its items has one, those most filled. */
function endsOf({ latents }) {
  if (!model.latentsAreItems) return latents;
  const filled = ({ latent }) => Math.abs(shown.latents[latent]);
  return [...latents].sort((a, b) => filled(b) - filled(a)).slice(0, N_ENDS);
}

const drawFigure = () => drawLatents(part("figure"), shown.latents, drawnSegments(), model.latentsAreItems);

/** The segments as the figure draws them. */
const drawnSegments = () => shown.segments.map((segment) => ({ ...segment, latents: endsOf(segment) }));

const listed = (ends) =>
  model.latentsAreItems
    ? ends.map(({ latent }) => titles[latent]).join(", ")
    : ends.map(({ latent, up }) => `${latent}${arrowOf(up)}`).join(" ");

function showNumber(latent, value) {
  const marked = shown.segments.filter(({ latents }) => latents.some((end) => end.latent === latent));
  const names = marked.map(({ number, label }) => `${number} ${label}`).join(", ");
  const name = model.latentsAreItems ? titles[latent] : String(latent);
  return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, signed(value)), make("td", {}, names || "–"));
}

function showSegments() {
  if (!model.segments) {
    return [make("p", { class: "celsa-quiet" }, "A dense vector has no segments to read off: every item uses every latent.")];
  }
  return shown.segments.map((segment) => {
    const { number, label, score, items } = segment;
    const cards = items.map((item) =>
      make(
        "li",
        {},
        button({ "aria-label": `Pick ${titles[item]}` }, () => pick(item), make("strong", {}, titles[item]), quiet(about[item])),
      ),
    );
    return make(
      "div",
      { class: "celsa-row", role: "group", "aria-label": `Segment ${label}` },
      make("h4", {}, badge(number), label, quiet(`${model.latentsAreItems ? "" : `${listed(endsOf(segment))}, `}score ${score.toFixed(2)}`)),
      make("ul", {}, ...cards),
    );
  });
}

/** The slider's steps: a model each. */
function showSizes() {
  part("slider").max = String(sizes.length - 1);
  part("ticks").replaceChildren(...sizes.map(({ bytes, dense }) => make("span", {}, dense ? "dense" : grouped(Math.round(bytes)))));
}

function begin() {
  const slider = part("slider");
  slider.addEventListener("input", () => { model = sizes[Number(slider.value)]; update(sizeOf(model)); });
  showSizes();
  for (const radio of part("methods")?.querySelectorAll("input") ?? []) {
    radio.checked = radio.value === model.label;
    radio.addEventListener("change", () => {
      sizes = sizesOf(radio.value);
      model = model.dense ? model : nearest(sizes.filter(({ dense }) => !dense), model.bytes);
      showSizes();
      update(`${radio.value}, ${sizeOf(model)}`);
    });
  }
  part("personas")?.append(
    ...contents.personas.map(({ name, items }) =>
      button({}, () => { picked = [...items]; update(`${name}: ${items.length} picked`); }, name),
    ),
  );
  const haystacks = titles.map((title, item) => fold(`${title} ${about[item]}`));
  makeCombobox({
    input: field,
    list: document.getElementById("celsa-demo-options"),
    find: (query) => search(haystacks, places, query).filter((item) => !picked.includes(item)),
    option: (item) => [make("span", {}, titles[item]), quiet(about[item])],
    choose: pick,
    say,
    nouns: contents.noun,
  });
  render();
  new ResizeObserver(() => picked.length && drawFigure()).observe(part("figure"));
}

begin();

// For tests: all scores, and the best items, of any picks and model.
window.celsaDemo = {
  sizes: models.map(({ bytes, dense }) => ({ bytes, dense })),
  scores: (items, k) => Array.from(answer(models[k], items, 0, 0).scores),
  best: (items, k, n) => answer(models[k], items, n, 0).items,
};
