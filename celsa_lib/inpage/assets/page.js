// The page: data, sliders, workers that train, and what is shown of them. Nothing is read or made
// before the reader opens it.

const RATES = [0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32];
const FAINT_RUNS = 3, LISTED_ITEMS = 400, HIDING_STEP = 0.01;
const WAYS = { anchored: "ours", pruned: "theirs" };
const NAMED = { ours: "Recommended setting", theirs: "The paper’s pruning" };
const SLIDERS = ["nnz", "floor", "hiding", "rate"];

const part = (name) => root.querySelector(`[data-part="${name}"]`);
const slider = Object.fromEntries(SLIDERS.map((name) => [name, document.getElementById(`celsa-train-${name}`)]));
const itemSelect = document.getElementById("celsa-train-item");
const grouped = (number) => number.toLocaleString("en-US");
const say = (text) => { part("status").textContent = text; };

let numbers = null; // both recipes and the limits
let address = ""; // of the worker's script
let seed = 0;
let synthetic = null;
let data = null; // what is trained on: {titles, segments, train, given, target, known, described}
let runs = []; // of this data: {kind, setting, points, seconds, start, now}
let workers = []; // at work now
let started = 0; // how many times data was loaded: answers about earlier data are dropped

// Workers

/** A worker made from the page itself, so that it works from a file; `hears` by kind of message. */
function workerThat(hears) {
  const worker = new Worker(address);
  const failed = (text) => { end(worker); (hears.refused ?? say)(text); };
  worker.addEventListener("message", ({ data: message }) => {
    if (message.kind === "refused") return failed(message.text);
    hears[message.kind]?.(message, worker);
  });
  worker.addEventListener("error", (event) => failed(`This browser has not started the training: ${event.message || "no worker"}.`));
  workers.push(worker);
  return worker;
}

function end(worker) {
  worker.terminate();
  workers = workers.filter((other) => other !== worker);
  if (!workers.length) part("bars").replaceChildren();
  updateButtons();
}

let reader = null; // the worker that reads files: it remembers what it has looked at

/** Ask the worker that reads; its answers go to `hears`. */
function askReader(message, hears) {
  if (message.kind === "look") {
    reader?.terminate();
    reader = null;
  }
  reader ??= new Worker(address);
  reader.onmessage = ({ data: answer }) => (answer.kind === "refused" ? say(answer.text) : hears[answer.kind]?.(answer));
  reader.onerror = (event) => say(`The file could not be read: ${event.message}.`);
  reader.postMessage(message);
}

// Data

/** Take `found` as what is trained on, and let a worker say what there is to know of it. */
function load(found, name) {
  wait("Counting …");
  const mine = started, { train, given, target } = found;
  const worker = workerThat({
    described(described) {
      end(worker);
      if (mine !== started) return;
      data = { ...found, ...described };
      runs = [];
      part("beside").checked = cells() <= numbers.limits.beside;
      setSliders();
      listItems();
      show();
      updateButtons();
      const interactions = train.items.length + given.items.length + target.items.length;
      say(`${name}: ${grouped(train.starts.length - 1)} users learn, ${grouped(given.starts.length - 1)} are held out; ` +
        `${grouped(train.nItems)} items, ${grouped(interactions)} interactions.`);
    },
  });
  worker.postMessage({ kind: "describe", train, given, target, numbers: numbers.recommended });
}

/** No data for now. */
function wait(text) {
  stop();
  data = null;
  started++;
  updateButtons();
  say(text);
}

const cells = () => (data.train.starts.length - 1) * data.train.nItems;

/** The most popular items, to choose one whose row is shown. */
function listItems() {
  const order = [...data.counts.keys()].sort((a, b) => data.counts[b] - data.counts[a]).slice(0, LISTED_ITEMS);
  itemSelect.replaceChildren(...order.map((item) => make("option", { value: item }, data.titles[item])));
}

// Sliders

const ofHiding = (hiding) => Math.round(hiding / HIDING_STEP);
const placeOf = (rate) => RATES.reduce((best, r, n) => (Math.abs(Math.log(r / rate)) < Math.abs(Math.log(RATES[best] / rate)) ? n : best), 0);

function limit(name, min, max) {
  Object.assign(slider[name], { min, max, step: 1 });
}

/** All sliders where the recommended setting of this data has them. */
function setSliders() {
  const [least, most, usual] = numbers.nonzeros, { hiding, rate } = data.recommended;
  limit("nnz", least, most);
  limit("hiding", 0, ofHiding(0.95));
  limit("rate", 0, RATES.length - 1);
  limit("floor", 1, usual);
  const at = { nnz: usual, floor: numbers.floors[usual], hiding: ofHiding(hiding), rate: placeOf(rate) };
  for (const name of SLIDERS) slider[name].value = at[name];
  showSliders();
}

let shownNnz = 0; // the nonzeros before the slider was moved

/** The floor follows the nonzeros until it is moved itself: no more than they are. */
function nonzerosMoved() {
  const nnz = slider.nnz.valueAsNumber, asRecommended = slider.floor.valueAsNumber === numbers.floors[shownNnz];
  limit("floor", 1, nnz);
  if (asRecommended) slider.floor.value = numbers.floors[nnz];
}

const setting = () => ({
  nnz: slider.nnz.valueAsNumber, floor: slider.floor.valueAsNumber,
  hiding: slider.hiding.valueAsNumber * HIDING_STEP, rate: RATES[slider.rate.valueAsNumber],
});
const WORDS = {
  nnz: (value) => `${value} (${8 * value} bytes)`, floor: String,
  hiding: (value) => `${Math.round(100 * value)} %`, rate: String,
};

function showSliders() {
  const now = setting();
  shownNnz = now.nnz;
  for (const name of SLIDERS) {
    root.querySelector(`[data-shows="${name}"]`).textContent = WORDS[name](now[name]);
    slider[name].setAttribute("aria-valuetext", WORDS[name](now[name]));
  }
}

// Training

function trainBoth() {
  if (!data || workers.length) return;
  const { nnz, floor, hiding, rate } = setting(), { recommended } = data, { paper } = numbers;
  const reg = nnz <= recommended.smallRows ? recommended.smallReg : recommended.reg;
  begin("anchored", { nnz, floor, hiding, rate }, { ...recommended, reg, nnz, floor, hiding, rate, seed }, recommended.epochs);
  if (part("beside").checked) {
    const stages = paper.stages[nnz], epochs = stages.reduce((sum, [, n]) => sum + n, 0);
    const settings = { width: paper.width, rate: paper.rate, epsilon: paper.epsilon, stages, batchSize: recommended.batchSize, seed };
    begin("pruned", { nnz, floor: nnz, hiding: 0, rate: paper.rate }, settings, epochs);
  }
  say("Training …");
  show();
  updateButtons();
}

function begin(way, shown, settings, epochs) {
  for (const run of runs) if (run.kind === WAYS[way]) run.start = run.now = null; // megabytes each
  const run = { kind: WAYS[way], setting: shown, epochs, points: [], seconds: 0, start: null, now: null, state: "under way" };
  const bar = make("progress", { max: epochs, value: 0 }), text = make("span", {}, `${NAMED[run.kind]}: beginning`);
  part("bars").append(make("label", {}, text, bar));
  runs.push(run);
  const progress = (words, value) => {
    text.textContent = `${NAMED[run.kind]}: ${words}`;
    bar.value = value;
  };
  const atWork = workerThat({
    part: ({ share }) => progress(`neighbourhoods, ${Math.round(100 * share)} %`, 0),
    epoch: (message) => {
      noteEpoch(run, message);
      const epoch = run.points.length - 1;
      progress(`epoch ${epoch} of ${epochs}, ${message.nnz} nonzeros per item${message.loss === null ? "" : `, loss ${(message.loss * data.train.nItems).toFixed(3)}`}`, epoch);
    },
    done: (_, worker) => finish(run, worker),
    refused: (words) => { run.state = "failed"; show(); say(words); },
  });
  atWork.postMessage({ kind: "train", way, train: data.train, given: data.given, target: data.target, settings });
}

function noteEpoch(run, { ndcg, seconds, rows }) {
  run.points.push([run.points.length, ndcg]);
  run.seconds = seconds;
  run.start ??= rows;
  run.now = rows;
  showSoon();
}

function finish(run, worker) {
  run.state = "finished";
  end(worker);
  show();
  if (!workers.length) say(`${summary()} Finished.`);
}

/** End what is at work; what it came to stays on the page. */
function stop() {
  for (const run of runs) if (run.state === "under way") run.state = "stopped";
  const were = workers.length > 0;
  workers.slice().forEach(end);
  if (were && data) {
    show();
    say(`${summary()} Stopped.`);
  }
}

/** Not `disabled`, or a keyboard would lose its place. */
function updateButtons() {
  part("train").setAttribute("aria-disabled", String(!data || workers.length > 0));
  part("stop").setAttribute("aria-disabled", String(!workers.length));
}

// The beginning

const historiesFrom = ({ starts, items, nItems }) => ({ starts: unpack(starts), items: unpack(items), nItems });

function open() {
  const contents = JSON.parse(document.getElementById("celsa-train-data").textContent);
  const source = document.getElementById("celsa-train-worker").textContent;
  address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    new Worker(address).terminate();
  } catch (error) {
    return say(`This browser starts no worker from a page, and training needs one: ${error.message}.`);
  }
  ({ numbers, seed } = contents);
  const [train, given, target] = ["train", "given", "target"].map((name) => historiesFrom(contents[name]));
  synthetic = { titles: contents.titles, segments: unpack(contents.segments), known: contents.known, train, given, target };
  let own = null;

  fileForm({ part, ask: askReader, say, limits: numbers.limits, seed, taken: (found, name) => load(...(own = [found, name])) });
  for (const radio of root.querySelectorAll("[name=celsa-train-source]")) {
    radio.addEventListener("change", () => {
      part("own").hidden = radio.value !== "file";
      if (radio.value === "synthetic") load(synthetic, "Synthetic");
      else if (own) load(...own);
      else wait("Drop or choose a file.");
    });
  }
  for (const name of SLIDERS) {
    slider[name].addEventListener("input", () => {
      if (name === "nnz") nonzerosMoved();
      showSliders();
    });
  }
  part("train").addEventListener("click", trainBoth);
  part("stop").addEventListener("click", stop);
  part("reset").addEventListener("click", () => { if (data) setSliders(); });
  itemSelect.addEventListener("change", showRow);
  new ResizeObserver(showChart).observe(part("chart"));
  load(synthetic, "Synthetic");
}

part("trainer").addEventListener("toggle", open, { once: true });
