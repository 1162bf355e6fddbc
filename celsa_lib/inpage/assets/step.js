// The loss of equation (1) and its gradient at the nonzeros, as celsa_lib.kernels.sparse_step.

/** Gradients of a batch. decoded, encoded: of the unit rows, through the scores and through the
 * latents; after `of`, decoded is both. slopes: of log s and log w. */
class Gradient {
  constructor({ starts, columns, width }) {
    const n = starts.length - 1, array = (size) => new Float64Array(size);
    Object.assign(this, { starts, columns });
    [this.decoded, this.encoded] = [new Float32Array(columns.length), new Float32Array(columns.length)];
    [this.taken, this.scores] = [array(n), new Float32Array(n)];
    [this.latents, this.back] = [new Float32Array(width), array(width)];
    this.slopes = { output: new Float32Array(n), input: new Float32Array(n) };
  }

  /** The mean loss over users × items. visible: by place in X, what the encoder sees. */
  of(unit, output, input, X, users, visible) {
    for (const sums of [this.decoded, this.encoded, this.taken]) sums.fill(0);
    let sum = 0;
    for (const user of users) sum += this.ofUser(unit, output, input, X, user, visible, 2 / (users.length * X.nItems));
    this.gather(unit, output, input);
    return sum / (users.length * X.nItems);
  }

  /** What `user` adds to the sums; its loss 2 − 2·o/(‖p‖‖x‖), with o the sum of p over what is seen. */
  ofUser(unit, output, input, X, user, visible, scale) {
    const { scores } = this, first = X.starts[user], last = X.starts[user + 1];
    this.encode(unit, input, X, first, last, visible);
    const square = this.decode(unit, output);
    let overlap = 0;
    for (let n = first; n < last; n++) overlap += scores[X.items[n]];
    const norm = Math.sqrt(square), length = Math.sqrt(last - first);
    if (norm === 0) return 1;
    if (overlap > 0) {
      const target = square / overlap;
      for (let n = first; n < last; n++) if (scores[X.items[n]] > 0) scores[X.items[n]] -= target;
      this.backward(unit, output, X, first, last, visible, (scale * overlap) / (square * norm * length));
    }
    return 2 - (2 * overlap) / (norm * length);
  }

  /** latents = Σ w_i·a_i and scores = −w_i over what is visible. */
  encode(unit, input, X, first, last, visible) {
    const { starts, columns, latents, scores } = this;
    latents.fill(0);
    scores.fill(0);
    for (let n = first; n < last; n++) {
      if (!visible[n]) continue;
      const item = X.items[n], weight = input[item];
      scores[item] = -weight;
      for (let k = starts[item]; k < starts[item + 1]; k++) latents[columns[k]] += weight * unit[k];
    }
  }

  /** scores = ReLU(s·(scores + latents·Aᵀ)); the sum of their squares.
   *
   * In float32 and in the library's order: an item that alone speaks for itself scores w·(‖a‖² − 1),
   * which is rounding, and rounding then says on which side of ReLU it falls. */
  decode(unit, output) {
    const { starts, columns, latents, scores } = this, { fround } = Math;
    let square = 0;
    for (let item = 0; item < scores.length; item++) {
      const last = starts[item + 1];
      let even = fround(scores[item]), odd = fround(0), k = starts[item];
      for (; k < last - 1; k += 2) {
        even = fround(even + unit[k] * latents[columns[k]]);
        odd = fround(odd + unit[k + 1] * latents[columns[k + 1]]);
      }
      if (k < last) even = fround(even + unit[k] * latents[columns[k]]);
      const score = fround(even + odd);
      scores[item] = score > 0 ? output[item] * score : 0;
      square += scores[item] * scores[item];
    }
    return square;
  }

  /** `scores` hold what the gradient of p is `alpha` times of; where ReLU is flat they are 0. */
  backward(unit, output, X, first, last, visible, alpha) {
    const { starts, columns, latents, scores, back, decoded, encoded, taken } = this;
    back.fill(0);
    for (let item = 0; item < scores.length; item++) {
      const slope = scores[item];
      if (slope === 0) continue;
      const weight = alpha * slope, passed = output[item] * slope;
      for (let k = starts[item]; k < starts[item + 1]; k++) {
        decoded[k] += weight * latents[columns[k]];
        back[columns[k]] += passed * unit[k];
      }
    }
    for (let n = first; n < last; n++) {
      if (!visible[n]) continue;
      const item = X.items[n];
      taken[item] += alpha * scores[item];
      for (let k = starts[item]; k < starts[item + 1]; k++) encoded[k] += alpha * back[columns[k]];
    }
  }

  /** Both ways together, each times its scale, and what the scales themselves get. */
  gather(unit, output, input) {
    const { starts, decoded, encoded, taken, slopes } = this;
    for (let item = 0; item < taken.length; item++) {
      const s = output[item], w = input[item];
      let ofOutput = 0, ofInput = 0;
      for (let k = starts[item]; k < starts[item + 1]; k++) {
        ofOutput += unit[k] * decoded[k];
        ofInput += unit[k] * encoded[k];
        decoded[k] = s * decoded[k] + w * encoded[k];
      }
      slopes.output[item] = s * (ofOutput - w * taken[item]);
      slopes.input[item] = w * (ofInput - s * taken[item]);
    }
  }
}
