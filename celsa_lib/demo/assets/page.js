// The page: what is picked, which models answer, and how their answers are shown.

const N_ITEMS = 10;
const N_REASONS = 4;
const N_NAMED = 3; // picks in a reason
const N_KNOBS = 5; // of latents
const N_ENDS = 6; // of a segment's latents, those most filled
const FIRST_BYTES = 128; // the budget shown first

const contents = JSON.parse(document.getElementById("celsa-demo-data").textContent);
const { titles, about, places } = contents;
const { shown: N_SEGMENTS, least: LEAST } = contents.segments; // how many, with so many unseen items
const models = contents.models.map(modelOf);
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const field = document.getElementById("celsa-demo-search");

let picked = contents.personas.length ? [...contents.personas[0].items] : [];
let model = nearest(models.filter(({ label }) => label === models[0].label), FIRST_BYTES);
let sizes = sizesOf(model.label); // the models on the slider
let beside = neighbourOf(model); // the second list's model, or null
let found = null; // the answer before any knob
let second = null; // the same of the second model
let knobs = []; // that are turned
let shown = null; // the answer on the screen
let why = null; // the item that is explained

/** The model whose size is next to `bytes`. */
function nearest(among, bytes) {
  const far = (other) => Math.abs(Math.log(other.bytes / bytes));
  return among.reduce((best, other) => (far(other) < far(best) ? other : best));
}

/** Models of a method, smallest first, and after them the dense one. */
function sizesOf(label) {
  return models.filter((other) => other.label === label || other.dense);
}

/** The next smaller model of the same method, else the next larger one, else none. */
function neighbourOf(one) {
  const place = sizes.indexOf(one);
  return sizes[place - 1] ?? sizes[place + 1] ?? null;
}

const say = (text) => { part("status").textContent = text; };
const arrowOf = (up) => (up ? "↑" : "↓");
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
const grouped = (number) => number.toLocaleString("en");
const brief = (item) => titles[item].replace(/ \([^()]*#[^()]*\)\s*$/, ""); // without its series
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

/** Everything, with no knob turned. */
function render() {
  found = answer(model, picked, N_ITEMS, N_SEGMENTS, LEAST);
  second = beside && answer(beside, picked, N_ITEMS, N_SEGMENTS, LEAST);
  knobs = [];
  why = null;
  part("empty").hidden = picked.length > 0;
  part("answer").hidden = !picked.length;
  showPicks();
  showModel();
  if (explored !== null) explore(explored);
  if (!picked.length) {
    shown = found;
    return;
  }
  showKnobs();
  refresh();
}

/** What follows the knobs. */
function refresh() {
  shown = steered(model, found, knobs, N_ITEMS);
  if (!shown.items.includes(why)) [why = null] = shown.items;
  part("list").replaceChildren(...shown.items.map(showItem));
  showShare();
  showBeside();
  showWhy();
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

/** A model in a few words. */
function wordsOf({ bytes, dense, rows, label }) {
  const numbers = dense ? `${rows.width} numbers` : `${Math.round(rows.values.length / rows.rows)} nonzeros`;
  const several = new Set(models.filter((other) => !other.dense).map((other) => other.label)).size > 1;
  return `${several ? `${label}, ` : ""}${numbers} per item, ${grouped(Math.round(bytes))} bytes`;
}

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
  const choices = models.filter((other) => other !== model);
  part("beside").replaceChildren(
    make("option", { value: "" }, "no second list"),
    ...choices.map((other) => make("option", { value: String(models.indexOf(other)) }, wordsOf(other))),
  );
  part("beside").value = beside ? String(models.indexOf(beside)) : "";
}

function showItem(item, place) {
  const score = shown.scores[item];
  const share = Math.max(0, score) / Math.max(shown.scores[shown.items[0]], 1e-9);
  const bar = make("span", { class: "celsa-bar", "aria-hidden": "true" }, make("span"));
  bar.firstChild.style.width = `${(100 * share).toFixed(1)}%`;
  const segment = model.segments?.ofItem[item];
  const marked = shown.segments.find((other) => other.segment === segment);
  const explain = button(
    { class: "celsa-why", "aria-label": `Why ${titles[item]}`, "aria-pressed": String(item === why) },
    () => { why = item; showWhy(); markWhy(); },
    "why",
  );
  const inspect = button({ class: "celsa-look", "aria-label": `Look inside ${titles[item]}` }, () => explore(item, true), "look inside");
  return make(
    "li",
    { "data-item": item },
    make("span", { class: "celsa-rank", "aria-hidden": "true" }, String(place + 1)),
    make("span", { class: "celsa-title" }, titles[item], " ", quiet(about[item])),
    make("span", { class: "celsa-score" }, score.toFixed(2)),
    button({ class: "celsa-add", "aria-label": `Pick ${titles[item]}` }, () => pick(item), "+"),
    bar,
    make("span", { class: "celsa-links" }, ...(marked ? [badge(marked.number)] : []), explain, inspect),
  );
}

function markWhy() {
  for (const line of part("list").children) {
    line.querySelector(".celsa-why").setAttribute("aria-pressed", String(Number(line.dataset.item) === why));
  }
}

/** How much of the list the shown segments hold. */
function showShare() {
  const shownOnes = new Set(shown.segments.map(({ segment }) => segment));
  const held = shown.items.filter((item) => shownOnes.has(model.segments?.ofItem[item])).length;
  part("share").textContent = model.segments
    ? `${held} of these ${shown.items.length} are in the ${shown.segments.length} segments shown below.`
    : "Dense vectors have no segments.";
}

/** The second model's list; knobs steer it where its latents mean the same. */
function showBeside() {
  part("second").hidden = !beside;
  if (!beside) return;
  const same = Boolean(beside.latentsAreItems && model.latentsAreItems);
  const other = steered(beside, second, same ? knobs : [], N_ITEMS, model);
  const first = new Set(shown.items);
  part("beside-title").textContent = wordsOf(beside);
  part("beside-list").replaceChildren(
    ...other.items.map((item, place) =>
      make(
        "li",
        first.has(item) ? {} : { class: "celsa-other" },
        make("span", { class: "celsa-rank", "aria-hidden": "true" }, String(place + 1)),
        make("span", { class: "celsa-title" }, titles[item], " ", quiet(about[item])),
        make("span", { class: "celsa-score" }, other.scores[item].toFixed(2)),
      ),
    ),
  );
  const both = other.items.filter((item) => first.has(item)).length;
  const apart = knobs.length && !same ? " The sliders do not move it: its latents are others." : "";
  part("both").textContent = `${both} of ${other.items.length} are in both lists.${apart}`;
}

/** Sliders for the shown segments and for the strongest latents. */
function showKnobs() {
  const ofSegments = found.segments.map(({ segment, number, label }) => ({
    key: `segment ${segment}`, segment, name: label, mark: [badge(number), " "],
  }));
  const steering = model.segments !== null;
  const ofLatents = strongest(found.base, steering ? N_KNOBS : 0).map((latent) => ({
    key: `latent ${latent}`, latent, name: nameOf(latent, found.base[latent] > 0), mark: [],
  }));
  part("knobs").replaceChildren();
  part("unsteered").hidden = steering;
  part("reset").hidden = !steering;
  makeKnobs(part("knobs"), [...ofSegments, ...ofLatents], (turned) => {
    knobs = turned;
    refresh();
    say(`First of the list: ${titles[shown.items[0]]}`);
  });
}

/** picks → latent → segment → item, for the latents that speak most for it. */
function showWhy() {
  const lines = reasons(model, picked, shown.latents, why, N_REASONS);
  part("why-title").textContent = `Why ${brief(why)}?`;
  part("why").replaceChildren(
    ...lines.map(({ latent, up, share, segment, picks }) =>
      make(
        "li",
        {},
        make("span", {}, together(picks)),
        make("span", {}, nameOf(latent, up)),
        ...(segment === undefined ? [] : [showLink(segment)]),
        make("span", {}, `${signed(share)} of ${shown.scores[why].toFixed(2)}`),
      ),
    ),
  );
  part("no-reason").hidden = lines.length > 0;
  drawWhy(lines);
}

function drawWhy(lines = reasons(model, picked, shown.latents, why, N_REASONS)) {
  const drawn = lines.map(({ latent, up, share, segment, picks }) => {
    const marked = shown.segments.find((other) => other.segment === segment);
    return {
      share,
      picks: together(picks),
      latent: nameOf(latent, up),
      segment: segment === undefined ? "no segment" : model.segments.labels[segment],
      color: marked ? `celsa-color-${marked.number}` : "",
      text: `${signed(share)} of ${shown.scores[why].toFixed(2)}`,
    };
  });
  drawChain(part("chain"), drawn, brief(why));
}

/** Titles of picks as a sum; of many, the first three. */
function together(items) {
  if (!items.length) return "your sliders";
  const names = items.slice(0, N_NAMED).map(brief);
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
  drawFigure();
  const lead = `${grouped(active)} of ${grouped(latents.length)} latents are not zero; the strongest are drawn.`;
  const named = segments.map((one) => `${one.number} ${one.label}, ${listed(endsOf(one))}`);
  part("figure").setAttribute("aria-label", `Your latents as bars. ${lead} Arrows: ${named.join("; ") || "none"}.`);
  part("caption").textContent = segments.length
    ? `Grey: your picks’ vectors added up. Arrows: latents of your segments. ${lead}`
    : `Grey: your picks’ vectors added up. ${lead}`;
  part("key").replaceChildren(
    ...segments.map((one) => make("li", {}, badge(one.number), one.label, quiet(listed(endsOf(one))))),
  );
  part("numbers").replaceChildren(...strongest(latents, 2 * N_ENDS).map((latent) => showNumber(latent, latents[latent])));
}

/** What a signed latent is called: where latents are items, by the item. */
function nameOf(latent, up) {
  return model.latentsAreItems ? `latent of ${brief(latent)}` : `latent ${latent} ${arrowOf(up)}`;
}

/** The latents of a segment that are drawn: the most filled of those that are not zero. */
function endsOf({ latents }) {
  const filled = ({ latent }) => Math.abs(shown.latents[latent]);
  return latents.filter(filled).sort((a, b) => filled(b) - filled(a)).slice(0, N_ENDS);
}

/** The bars, and an arrow at each latent of a shown segment that is among them. */
function drawFigure() {
  const marks = shown.segments.flatMap((one) => endsOf(one).map((end) => ({ ...end, number: one.number })));
  drawLatents(part("figure"), shown.latents, marks);
}

const listed = (ends) =>
  model.latentsAreItems
    ? ends.slice(0, N_NAMED).map(({ latent }) => brief(latent)).join(", ")
    : ends.map(({ latent, up }) => `${latent}${arrowOf(up)}`).join(" ");

function showNumber(latent, value) {
  const marked = shown.segments.filter(({ latents }) => latents.some((end) => end.latent === latent));
  const names = marked.map(({ number, label }) => `${number} ${label}`).join(", ");
  const name = model.latentsAreItems ? brief(latent) : String(latent);
  return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, signed(value)), make("td", {}, names || "–"));
}

function showSegments() {
  if (!model.segments) {
    return [make("p", { class: "celsa-quiet" }, "A dense vector has no segments to read off: every item uses every latent.")];
  }
  return shown.segments.map(({ number, label, score, items, unseen }) => {
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
      make("h4", {}, badge(number), label, quiet(`score ${score.toFixed(2)}, ${unseen.length} ${contents.noun[unseen.length === 1 ? 0 : 1]} you have not picked`)),
      make("ul", {}, ...cards),
    );
  });
}

/** The slider's steps: a model each. */
function showSizes() {
  part("slider").max = String(sizes.length - 1);
  part("ticks").replaceChildren(...sizes.map(({ bytes, dense }) => make("span", {}, dense ? "dense" : grouped(Math.round(bytes)))));
}

/** Another model answers; its neighbour beside it where that is the same one. */
function choose(other) {
  model = other;
  if (beside === model) beside = neighbourOf(model);
}

function begin() {
  const slider = part("slider");
  slider.addEventListener("input", () => { choose(sizes[Number(slider.value)]); update(sizeOf(model)); });
  showSizes();
  part("beside").addEventListener("change", ({ target }) => {
    beside = target.value === "" ? null : models[Number(target.value)];
    update(beside ? `Beside it ${wordsOf(beside)}` : "One list");
  });
  for (const radio of part("methods")?.querySelectorAll("input") ?? []) {
    radio.checked = radio.value === model.label;
    radio.addEventListener("change", () => {
      sizes = sizesOf(radio.value);
      choose(model.dense ? model : nearest(sizes.filter(({ dense }) => !dense), model.bytes));
      beside = neighbourOf(model);
      showSizes();
      update(`${radio.value}, ${sizeOf(model)}`);
    });
  }
  part("personas")?.append(
    ...contents.personas.map(({ name, items }) =>
      button({}, () => { picked = [...items]; update(`${name}: ${items.length} picked`); }, name),
    ),
  );
  part("reset").addEventListener("click", () => update("No slider is turned"));
  const haystacks = titles.map((title, item) => fold(`${title} ${about[item]}`));
  const option = (item) => [make("span", {}, titles[item]), quiet(about[item])];
  const searched = (query) => search(haystacks, places, query);
  makeCombobox({
    input: field,
    list: document.getElementById("celsa-demo-options"),
    find: (query) => searched(query).filter((item) => !picked.includes(item)),
    option,
    choose: pick,
    say,
    nouns: contents.noun,
  });
  makeCombobox({
    input: document.getElementById("celsa-demo-explore"),
    list: document.getElementById("celsa-demo-explored"),
    find: searched,
    option,
    choose: (item) => explore(item),
    say,
    nouns: contents.noun,
  });
  render();
  explore(shown.items[0] ?? places.indexOf(0));
  const redraw = () => { if (picked.length) { drawFigure(); drawWhy(); } };
  new ResizeObserver(redraw).observe(part("figure"));
}

begin();

// For tests: all scores, and the best items, of any picks and model, with knobs.
window.celsaDemo = {
  sizes: models.map(({ bytes, dense }) => ({ bytes, dense })),
  scores: (items, k) => Array.from(answer(models[k], items, 0, 0, LEAST).scores),
  best: (items, k, n) => answer(models[k], items, n, 0, LEAST).items,
  steered: (items, k, turned) => Array.from(steered(models[k], answer(models[k], items, 0, 1, LEAST), turned, 0).scores),
};
