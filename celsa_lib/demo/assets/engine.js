// The library's inference: latents x·A, scores x·A·Aᵀ − x, segment scores x·A·Bᵀ. With input scales
// latents are x·W·U, U being the unit rows, and an item's own part is w·s, s the length of its row.

/** Rows with what a pick counts in them: `factor`, of its row in the latents; `own`, in its score. */
function scaledRowsOf(packed, inputScales) {
  const rows = rowsOf(packed);
  const lengths = Float64Array.from({ length: rows.rows }, (_, row) => lengthOf(rows, row));
  const scales = rows.inputScales ?? (inputScales && unpack(inputScales));
  const one = new Float32Array(rows.rows).fill(1);
  if (!scales) return { ...rows, lengths, factor: one, own: one };
  return { ...rows, lengths, factor: scales.map((w, row) => w / lengths[row]), own: scales.map((w, row) => w * lengths[row]) };
}

function lengthOf(rows, row) {
  let sum = 0;
  for (let k = rows.starts[row]; k < rows.starts[row + 1]; k++) sum += rows.values[k] ** 2;
  return Math.sqrt(sum);
}

/** A model ready to answer; `carrier` tells the segment of a signed latent. */
function modelOf(packed) {
  const rows = scaledRowsOf(packed.rows, packed.inputScales);
  if (!packed.segments) return { ...packed, rows, segments: null, carrier: () => undefined };
  const { labels } = packed.segments;
  const ofItem = unpack(packed.segments.ofItem);
  const members = labels.map(() => []);
  ofItem.forEach((segment, item) => members[segment].push(item));
  const segments = { labels, ofItem, members, rows: rowsOf(packed.segments.rows) };
  const carriers = new Map();
  for (let segment = labels.length - 1; segment >= 0; segment--) {
    for (const { latent, value } of entries(segments.rows, segment)) {
      carriers.set(`${latent} ${value > 0}`, segment);
    }
  }
  return { ...packed, rows, segments, carrier: (latent, up) => carriers.get(`${latent} ${up}`) };
}

/** The stored entries of a row: [{latent, value}]. */
function entries(rows, row) {
  const found = [];
  for (let k = rows.starts[row]; k < rows.starts[row + 1]; k++) {
    found.push({ latent: rows.columns[k], value: rows.values[k] });
  }
  return found;
}

/** x·A, or x·W·U, for a user who has `picked` these items. */
function encode(rows, picked) {
  const latents = new Float64Array(rows.width);
  for (const item of picked) add(latents, rows, item, rows.factor[item]);
  return latents;
}

/** Add a row, `times` over, to latents. */
function add(latents, rows, row, times) {
  for (let k = rows.starts[row]; k < rows.starts[row + 1]; k++) latents[rows.columns[k]] += times * rows.values[k];
}

/** rows · latents: a number for each row, in float32 like the library's scores. */
function times(rows, latents) {
  const { starts, columns, values } = rows;
  const found = new Float32Array(rows.rows);
  for (let row = 0; row < found.length; row++) {
    let sum = 0;
    for (let k = starts[row]; k < starts[row + 1]; k++) sum += latents[columns[k]] * values[k];
    found[row] = sum;
  }
  return found;
}

/** x·A·Aᵀ − x, or with input scales x·W·(U·Uᵀ − I)·S, for every item. */
function scoresOf(rows, picked, latents) {
  const scores = times(rows, latents);
  for (const item of picked) scores[item] -= rows.own[item];
  return scores;
}

/** The n best of `candidates`, which ascend, best first; equal scores by lower index. */
function best(scores, candidates, n) {
  const found = [];
  for (const item of candidates) {
    if (found.length === n && !(scores[item] > scores[found[n - 1]])) continue;
    let place = found.length;
    while (place && scores[item] > scores[found[place - 1]]) place--;
    found.splice(place, 0, item);
    if (found.length > n) found.pop();
  }
  return found;
}

/** What a model says to someone who has `picked` these items, before any knob is turned. */
function answer(model, picked, nItems, nSegments, least) {
  const latents = encode(model.rows, picked);
  const found = { picked, base: latents, segments: [] };
  if (model.segments) {
    const { labels, members, rows } = model.segments;
    const seen = new Set(picked);
    const relevance = times(rows, latents);
    const unseen = (segment) => members[segment].filter((item) => !seen.has(item));
    const offered = [...labels.keys()].filter((s) => relevance[s] > 0 && unseen(s).length >= least);
    found.segments = best(relevance, offered, nSegments).map((segment, place) => ({
      segment,
      number: place + 1,
      label: labels[segment],
      score: relevance[segment],
      latents: entries(rows, segment).map(({ latent, value }) => ({ latent, up: value > 0 })),
      unseen: unseen(segment),
    }));
  }
  return steered(model, found, [], nItems);
}

/**
 * The answer with knobs turned: x·A, and for each knob `turn` times what it stands for, a segment's
 * row of B by the score of the best segment, or a latent by the largest latent. `guide`: the model
 * whose segments are meant, with the same latents.
 */
function steered(model, found, knobs, nItems, guide = model) {
  const { picked, base } = found;
  const seen = new Set(picked);
  const latents = Float64Array.from(base);
  const largest = base.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const strongest = found.segments[0]?.score ?? largest;
  for (const { segment, latent, turn } of knobs) {
    if (segment !== undefined) add(latents, guide.segments.rows, segment, turn * strongest);
    else latents[latent] += turn * largest;
  }
  const scores = scoresOf(model.rows, seen, latents);
  const unseen = [];
  for (let item = 0; item < scores.length; item++) if (!seen.has(item)) unseen.push(item);
  const items = best(scores, unseen, nItems);
  const segments = found.segments.map((one) => ({ ...one, items: best(scores, one.unseen, nItems) }));
  return { ...found, latents, scores, items, segments };
}

/** The latents that speak most for `item`, and the picks that brought them: the largest first. */
function reasons(model, picked, latents, item, n) {
  const largestFirst = (a, b) => b.share - a.share;
  const valueAt = (row, latent) => entries(model.rows, row).find((e) => e.latent === latent)?.value ?? 0;
  return entries(model.rows, item)
    .map(({ latent, value }) => ({ latent, up: value > 0, value, share: latents[latent] * value }))
    .filter(({ share }) => share > 0)
    .sort(largestFirst)
    .slice(0, n)
    .map((reason) => ({
      ...reason,
      segment: model.carrier(reason.latent, reason.up),
      picks: picked
        .map((pick) => ({ pick, share: model.rows.factor[pick] * valueAt(pick, reason.latent) * reason.value }))
        .filter(({ share }) => share > 0)
        .sort(largestFirst)
        .map(({ pick }) => pick),
    }));
}

/** The items nearest to one by the cosine of rows: [{item, value}]. */
function nearestTo({ rows }, item, n) {
  const latents = new Float64Array(rows.width);
  add(latents, rows, item, 1 / (rows.lengths[item] || 1));
  const cosines = times(rows, latents).map((value, row) => value / (rows.lengths[row] || 1));
  const others = [...cosines.keys()].filter((other) => other !== item);
  return best(cosines, others, n).map((other) => ({ item: other, value: cosines[other] }));
}

/** The inverted list of a latent: [{item, value}] of every row that has it, the largest first. */
function postings({ rows }, latent) {
  const found = [];
  for (let row = 0; row < rows.rows; row++) {
    for (let k = rows.starts[row]; k < rows.starts[row + 1]; k++) {
      if (rows.columns[k] === latent && rows.values[k]) found.push({ item: row, value: rows.values[k] });
    }
  }
  return found.sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.item - b.item);
}
