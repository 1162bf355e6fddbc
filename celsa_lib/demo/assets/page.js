// The page: what is picked, which model answers, and how the answer is shown.

const N_ITEMS = 10;
const N_SEGMENTS = 5;
const N_REASONS = 3;
const N_NUMBERS = 12;
const FIRST_BYTES = 128; // the budget shown first

const contents = JSON.parse(document.getElementById("celsa-demo-data").textContent);
const { titles, about, places } = contents;
const models = contents.models.map(modelOf);
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const field = document.getElementById("celsa-demo-search");

let picked = contents.personas.length ? [...contents.personas[0].items] : [];
let model = models.find(({ bytes, dense }) => bytes === FIRST_BYTES && !dense) ?? models[0];
let shown = null; // the answer on the screen

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
  `${grouped(bytes)} bytes per item${dense ? ", dense" : ""}, the whole model ${size}`;

function showModel() {
  const { dense, bytes, size, ndcg, rows } = model;
  const count = dense ? rows.width : bytes / 8;
  const unit = dense ? " bytes per item, dense" : " bytes per item";
  part("bytes").replaceChildren(make("strong", {}, grouped(bytes)), unit);
  part("size").textContent = size;
  part("layout").textContent = dense ? `${count} numbers` : `${count} of ${grouped(rows.width)} numbers`;
  const reference = dense ? undefined : models.find((other) => other.dense);
  part("ndcg").textContent = ndcg.toFixed(3) + (reference ? `, dense ${reference.ndcg.toFixed(3)}` : "");
  part("slider").value = String(models.indexOf(model));
  part("slider").setAttribute("aria-valuetext", sizeOf(model));
  [...part("ticks").children].forEach((tick, k) => tick.classList.toggle("celsa-now", models[k] === model));
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
      make("span", {}, `latent ${latent} ${arrowOf(up)}`),
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
  const { latents, segments } = shown;
  const active = latents.filter((value) => value !== 0).length;
  const lead = `${active} of ${latents.length} latents are not zero.`;
  const named = segments.map(({ number, label, latents: ends }) => `${number} ${label}, ${ends.map(endOf).join(" ")}`);
  drawLatents(part("figure"), latents, segments);
  part("figure").setAttribute("aria-label", `Your latents as bars. ${lead} Arrows: ${named.join("; ") || "none"}.`);
  part("caption").textContent = segments.length
    ? `Grey: your picks’ vectors added up. Arrows: the latents of your segments. ${lead}`
    : `Grey: your picks’ vectors added up. ${lead}`;
  part("key").replaceChildren(
    ...segments.map(({ number, label, latents: ends }) => make("li", {}, badge(number), label, quiet(ends.map(endOf).join(" ")))),
  );
  const largest = best(latents.map(Math.abs), latents.keys(), N_NUMBERS).filter((latent) => latents[latent]);
  part("numbers").replaceChildren(...largest.map((latent) => showNumber(latent, latents[latent])));
}

const endOf = ({ latent, up }) => `${latent}${arrowOf(up)}`;

function showNumber(latent, value) {
  const marked = shown.segments.filter(({ latents }) => latents.some((end) => end.latent === latent));
  const names = marked.map(({ number, label }) => `${number} ${label}`).join(", ");
  return make("tr", {}, make("th", { scope: "row" }, String(latent)), make("td", {}, signed(value)), make("td", {}, names || "–"));
}

function showSegments() {
  if (!model.segments) {
    return [make("p", { class: "celsa-quiet" }, "A dense vector has no segments to read off: every item uses every latent.")];
  }
  return shown.segments.map(({ number, label, score, latents, items }) => {
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
      make("h4", {}, badge(number), label, quiet(`${latents.map(endOf).join(" ")}, score ${score.toFixed(2)}`)),
      make("ul", {}, ...cards),
    );
  });
}

function begin() {
  const slider = part("slider");
  slider.max = String(models.length - 1);
  slider.addEventListener("input", () => { model = models[Number(slider.value)]; update(sizeOf(model)); });
  part("ticks").append(...models.map(({ bytes, dense }) => make("span", {}, dense ? "dense" : grouped(bytes))));
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
  new ResizeObserver(() => picked.length && drawLatents(part("figure"), shown.latents, shown.segments)).observe(part("figure"));
}

begin();

// For tests: all scores, and the best items, of any picks and model.
window.celsaDemo = {
  sizes: models.map(({ bytes, dense }) => ({ bytes, dense })),
  scores: (items, k) => Array.from(answer(models[k], items, 0, 0).scores),
  best: (items, k, n) => answer(models[k], items, n, 0).items,
};
