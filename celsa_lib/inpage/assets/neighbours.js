// Partial correlations of items with their closest ones, as celsa_lib.training.anchored has them:
// co-occurrence, the closest by shrunk cosine, and the inverse of each small block.

/** How many users have seen both: items × items, one row after the other. */
function countTogether(X) {
  const n = X.nItems, counts = new Float32Array(n * n);
  for (let user = 0; user + 1 < X.starts.length; user++) {
    const seen = X.items.subarray(X.starts[user], X.starts[user + 1]);
    for (const i of seen) for (const j of seen) counts[i * n + j]++;
  }
  return counts;
}

/** The `most` items of largest cosine with `item`, popularities shrunk; of equals the lower ones. */
function closestTo(item, counts, n, shrink, most) {
  const popularity = (i) => counts[i * n + i];
  const found = [], strengths = [];
  for (let j = 0; j < n; j++) {
    const together = counts[item * n + j];
    if (j === item || !together) continue;
    const both = Math.fround(Math.fround(popularity(item) + shrink) * Math.fround(popularity(j) + shrink));
    const strength = Math.fround(together / Math.fround(Math.sqrt(both)));
    if (found.length === most && strength <= strengths[most - 1]) continue;
    let place = found.length;
    while (place && strengths[place - 1] < strength) place--;
    found.splice(place, 0, j);
    strengths.splice(place, 0, strength);
    found.length = strengths.length = Math.min(found.length, most);
  }
  return found;
}

/** First row and diagonal of the inverse of a positive definite matrix (size × size), which is
 * overwritten: by its Cholesky factor, and that by the factor's inverse. */
function inverseOf(matrix, size) {
  for (let j = 0; j < size; j++) {
    for (let i = j; i < size; i++) {
      let sum = matrix[i * size + j];
      for (let k = 0; k < j; k++) sum -= matrix[i * size + k] * matrix[j * size + k];
      matrix[i * size + j] = i === j ? Math.sqrt(sum) : sum / matrix[j * size + j];
    }
  }
  for (let j = 0; j < size; j++) {
    matrix[j * size + j] = 1 / matrix[j * size + j];
    for (let i = j + 1; i < size; i++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum -= matrix[i * size + k] * matrix[k * size + j];
      matrix[i * size + j] = sum / matrix[i * size + i];
    }
  }
  const first = new Float64Array(size), diagonal = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      first[j] += matrix[i * size] * matrix[i * size + j];
      diagonal[j] += matrix[i * size + j] ** 2;
    }
  }
  return { first, diagonal };
}

/** {partial: the positive partial correlations, items × items, precision: P_ii}.
 * `done` hears of the share that is finished. */
function neighbourhoods(X, { reg, shrink, neighbours }, done = () => {}) {
  const n = X.nItems, counts = countTogether(X);
  const partial = new Float32Array(n * n), precision = new Float32Array(n);
  for (let item = 0; item < n; item++) {
    const members = [item, ...closestTo(item, counts, n, shrink, Math.min(neighbours, n - 1))];
    const size = members.length, block = new Float64Array(size * size);
    members.forEach((i, p) => members.forEach((j, q) => {
      block[p * size + q] = counts[i * n + j] + (p === q ? reg : 0);
    }));
    const { first, diagonal } = inverseOf(block, size);
    precision[item] = first[0];
    for (let q = 1; q < size; q++) {
      const r = -first[q] / Math.sqrt(first[0] * diagonal[q]);
      for (const place of [item * n + members[q], members[q] * n + item]) {
        if (r > partial[place]) partial[place] = r;
      }
    }
    if (item % 100 === 99) done((item + 1) / n);
  }
  return { partial, precision };
}
