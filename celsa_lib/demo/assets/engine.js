// The library's inference: latents x·A, scores x·A·Aᵀ − x, segment scores x·A·Bᵀ. With input scales
// latents are x·W·U, U being the unit rows, and an item's own part is w·s, s the length of its row.

/** Rows with what a pick counts in them: `factor`, of its row in the latents; `own`, in its score. */
function scaledRowsOf(packed, inputScales) {
  const rows = rowsOf(packed);
  if (!inputScales) return { ...rows, factor: new Float32Array(rows.rows).fill(1), own: new Float32Array(rows.rows).fill(1) };
  const scales = unpack(inputScales);
  const lengths = Float64Array.from(scales, (_, row) => Math.hypot(...entries(rows, row).map(({ value }) => value)));
  return { ...rows, factor: scales.map((w, row) => w / lengths[row]), own: scales.map((w, row) => w * lengths[row]) };
}

/** A model ready to answer; `carrier` tells the segment of a signed latent. */
function modelOf(packed) {
  const rows = scaledRowsOf(packed.rows, packed.inputScales);
  if (!packed.segments) return { ...packed, rows, segments: null, carrier: () => undefined };
  const segments = { ...packed.segments, rows: rowsOf(packed.segments.rows) };
  const carriers = new Map();
  for (let segment = segments.labels.length - 1; segment >= 0; segment--) {
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
  for (const item of picked) {
    for (let k = rows.starts[item]; k < rows.starts[item + 1]; k++) {
      latents[rows.columns[k]] += rows.factor[item] * rows.values[k];
    }
  }
  return latents;
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

/** The n best of `candidates`, best first; equal scores by lower index. */
function best(scores, candidates, n) {
  return [...candidates].sort((a, b) => scores[b] - scores[a] || a - b).slice(0, n);
}

/** What a model says to someone who has `picked` these items. */
function answer(model, picked, nItems, nSegments) {
  const seen = new Set(picked);
  const unseen = (items) => items.filter((item) => !seen.has(item));
  const latents = encode(model.rows, seen);
  const scores = scoresOf(model.rows, seen, latents);
  const items = best(scores, unseen([...scores.keys()]), nItems);
  if (!model.segments) return { latents, scores, items, segments: [] };

  const { labels, members, rows } = model.segments;
  const relevance = times(rows, latents);
  const offered = [...labels.keys()].filter((s) => relevance[s] > 0 && unseen(members[s]).length);
  const segments = best(relevance, offered, nSegments).map((segment, place) => ({
    segment,
    number: place + 1,
    label: labels[segment],
    score: relevance[segment],
    latents: entries(rows, segment).map(({ latent, value }) => ({ latent, up: value > 0 })),
    items: best(scores, unseen(members[segment]), nItems),
  }));
  return { latents, scores, items, segments };
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
