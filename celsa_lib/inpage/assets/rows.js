// Rows of A in training: `values` at `columns`, row i from starts[i] to starts[i + 1], out of `width`
// columns. logs: {output, input}, log s and log w of each item; null without scales.

/** Rows anchored at items, as `celsa_lib.training.anchored.anchored_rows` makes them: `nnz` nonzeros
 * on average and at least `floor`, each with its own latent. */
function anchoredRows({ partial, precision }, { nnz, floor, strength }) {
  const n = precision.length, pairs = [];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const r = partial[i * n + j];
      if (r > 0) pairs.push({ i, j, r, size: Math.fround(r / Math.fround(Math.sqrt(precision[i]))) });
    }
  }
  pairs.sort((a, b) => b.size - a.size);  // stable: of equals the first
  const lengths = new Uint32Array(n), kept = [], others = [];
  for (const pair of pairs) (lengths[pair.i]++ < floor - 1 ? kept : others).push(pair);
  kept.push(...others.slice(0, Math.max(0, (nnz - 1) * n - kept.length)));
  const rows = Array.from({ length: n }, (_, i) => [[i, 1]]);
  for (const { i, j, r } of kept) rows[i].push([j, strength * r]);
  return { ...packRows(rows, n), logs: startingScales(precision) };
}

/** Rows from lists of [column, value]. */
function packRows(rows, width) {
  const starts = new Uint32Array(rows.length + 1);
  rows.forEach((row, i) => { starts[i + 1] = starts[i] + row.length; });
  const columns = new Uint32Array(starts[rows.length]), values = new Float32Array(starts[rows.length]);
  rows.forEach((row, i) => row.sort((a, b) => a[0] - b[0]).forEach(([column, value], k) => {
    columns[starts[i] + k] = column;
    values[starts[i] + k] = value;
  }));
  return { starts, columns, values, width };
}

/** s in proportion to 1/√P_ii, 1 on average; w is 1. */
function startingScales(precision) {
  const logs = Float64Array.from(precision, (p) => -0.5 * Math.log(p));
  const mean = logs.reduce((sum, log) => sum + Math.exp(log), 0) / logs.length;
  const output = Float32Array.from(logs, (log) => log - Math.log(mean));
  return { output, input: new Float32Array(logs.length) };
}

/** Full random rows, Xavier-uniform: what the paper's pruning begins with. */
function fullRows(n, width, random) {
  const bound = Math.sqrt(6 / (n + width));
  const values = Float32Array.from({ length: n * width }, () => (2 * random() - 1) * bound);
  return { ...equalRows(n, width), columns: Uint32Array.from(values, (_, k) => k % width), values, width };
}

const equalRows = (n, nnz) => ({ starts: Uint32Array.from({ length: n + 1 }, (_, i) => i * nnz), logs: null });

/** The `nnz` largest |values| of each row, of equals those further left, with the values that they
 * have in the full rows `initial`: a prune and a restart. */
function prunedRows(rows, nnz, initial) {
  const n = rows.starts.length - 1, { width } = rows;
  const columns = new Uint32Array(n * nnz);
  for (let i = 0; i < n; i++) {
    const first = rows.starts[i], last = rows.starts[i + 1];
    const sizes = rows.values.slice(first, last).map(Math.abs);
    const smallest = sizes.slice().sort()[sizes.length - nnz];
    let equals = nnz - sizes.filter((size) => size > smallest).length, place = i * nnz;
    sizes.forEach((size, k) => {
      if (size > smallest || (size === smallest && equals-- > 0)) columns[place++] = rows.columns[first + k];
    });
  }
  const values = Float32Array.from(columns, (column, k) => initial.values[Math.floor(k / nnz) * width + column]);
  return { ...equalRows(n, nnz), columns, values, width };
}

/** Write the rows of `values` with length 1 to `unit`; in float32, see `Gradient.decode`. */
function unitRows(values, starts, unit) {
  const { fround } = Math;
  for (let i = 0; i + 1 < starts.length; i++) {
    let square = fround(0);
    for (let k = starts[i]; k < starts[i + 1]; k++) square = fround(square + values[k] * values[k]);
    const scale = fround(1 / Math.max(fround(Math.sqrt(square)), 1e-12));
    for (let k = starts[i]; k < starts[i + 1]; k++) unit[k] = scale * values[k];
  }
}

/** Turn the gradient of the unit rows into that of `values`, in place. */
function throughUnitRows(values, starts, gradient) {
  for (let i = 0; i + 1 < starts.length; i++) {
    let square = 0, along = 0;
    for (let k = starts[i]; k < starts[i + 1]; k++) {
      square += values[k] * values[k];
      along += values[k] * gradient[k];
    }
    const norm = Math.max(Math.sqrt(square), 1e-12), shrink = along / (norm * norm);
    for (let k = starts[i]; k < starts[i + 1]; k++) gradient[k] = (gradient[k] - shrink * values[k]) / norm;
  }
}

/** What training has come to: unit rows, of the mean where one was taken, and the scales. */
function resultOf(rows) {
  const unit = new Float32Array(rows.values.length), exp = (logs) => logs.map(Math.exp);
  unitRows(rows.mean ?? rows.values, rows.starts, unit);
  const ones = new Float32Array(rows.starts.length - 1).fill(1);
  const { starts, columns, width } = rows;
  const output = rows.logs ? exp(rows.logs.output) : ones, input = rows.logs ? exp(rows.logs.input) : ones;
  return { starts, columns, width, unit, output, input };
}
