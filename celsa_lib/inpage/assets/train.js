// Steps of NAdam on rows, and the two ways to train: as celsa_lib.training and its models.

const BETA1 = 0.9, BETA2 = 0.999, DECAY = 0.004;
const [KEPT_M, KEPT_V] = [BETA1, BETA2].map(Math.fround); // the library's loop has them in float32
const momentum = (step) => BETA1 * (1 - 0.5 * 0.96 ** (step * DECAY));

/** Dozat's NAdam as in Keras and torch; each group is {values, gradient, m, v}. */
class Nadam {
  constructor(epsilon) {
    Object.assign(this, { epsilon, steps: 0, product: 1 });
  }

  step(groups, rate) {
    this.steps++;
    const now = momentum(this.steps), following = momentum(this.steps + 1);
    this.product *= now;
    const bias = 1 - BETA2 ** this.steps;
    const ofGradient = (rate * (1 - now)) / (1 - this.product);
    const ofMomentum = (rate * following) / (1 - this.product * following);
    for (const { values, gradient, m, v } of groups) {
      for (let k = 0; k < values.length; k++) {
        const g = gradient[k];
        m[k] += (g - m[k]) * (1 - KEPT_M);
        v[k] = KEPT_V * v[k] + (1 - KEPT_V) * g * g;
        values[k] -= (ofGradient * g + ofMomentum * m[k]) / (Math.sqrt(v[k] / bias) + this.epsilon);
      }
    }
  }
}

/** Trains `rows` in place on the histories X; stage: {epsilon, nonNegative}. */
class Trainer {
  constructor(rows, X, { epsilon, nonNegative }) {
    Object.assign(this, { rows, X, nonNegative });
    this.gradient = new Gradient(rows);
    this.optimiser = new Nadam(epsilon);
    this.unit = new Float32Array(rows.values.length);
    this.scales = ["output", "input"].map(() => new Float32Array(X.nItems).fill(1));
    const moments = (values) => ({ m: new Float32Array(values.length), v: new Float32Array(values.length) });
    const { slopes, decoded } = this.gradient;
    this.groups = [{ values: rows.values, gradient: decoded, ...moments(rows.values) }];
    for (const [name, values] of Object.entries(rows.logs ?? {})) {
      this.groups.push({ values, gradient: slopes[name], ...moments(values) });
    }
  }

  /** One step on the histories of `users`; ofMean: weight of the new values in their mean. */
  step(users, visible, rate, ofMean = 0) {
    const { rows, unit, scales, gradient } = this, { values, starts, logs } = rows;
    unitRows(values, starts, unit);
    if (logs) [logs.output, logs.input].forEach((log, n) => log.forEach((l, i) => { scales[n][i] = Math.exp(l); }));
    const loss = gradient.of(unit, ...scales, this.X, users, visible);
    throughUnitRows(values, starts, gradient.decoded);
    this.optimiser.step(this.groups, rate);
    if (this.nonNegative) for (let k = 0; k < values.length; k++) if (values[k] < 0) values[k] = 0;
    if (ofMean) {
      rows.mean ??= new Float32Array(values.length);
      for (let k = 0; k < values.length; k++) rows.mean[k] += ofMean * (values[k] - rows.mean[k]);
    }
    return loss;
  }
}

/** [learning rate, weight of the mean] of each step: half a cosine, and the mean of the last ones. */
function ratesOf({ rate, decay, averaging }, steps) {
  const averaged = Math.round(averaging * steps);
  return Array.from({ length: steps }, (_, step) => [
    decay ? (rate * (1 + Math.cos((Math.PI * step) / steps))) / 2 : rate,
    step < steps - averaged ? 0 : 1 / (step - (steps - averaged) + 1),
  ]);
}

/** The epochs of a stage; `done` hears the mean loss of each. */
function trainStage(rows, X, stage, random, done) {
  const trainer = new Trainer(rows, X, stage), visible = new Uint8Array(X.items.length).fill(1);
  const steps = Math.ceil(learnersOf(X).length / stage.batchSize);
  const rates = ratesOf(stage, steps * stage.epochs);
  for (let epoch = 0, step = 0; epoch < stage.epochs; epoch++) {
    const users = usersOfEpoch(X, stage.exponent, random);
    let sum = 0;
    for (let first = 0; first < users.length; first += stage.batchSize, step++) {
      const batch = users.subarray(first, first + stage.batchSize);
      if (stage.hiding) hide(X, batch, seedOfStep(stage.seed, step), stage.hiding, visible);
      sum += trainer.step(batch, visible, ...rates[step]);
    }
    done(sum / steps);
  }
}

/** The recommended setting. Calls `found(kind, …)`: "part" of the start, "epoch" with its rows. */
function trainAnchored(X, settings, found) {
  const near = neighbourhoods(X, settings, (share) => found("part", share));
  const rows = anchoredRows(near, settings);
  const epoch = (loss) => found("epoch", loss, rows, settings.nnz);
  epoch(null);
  const stage = { ...settings, decay: true };
  trainStage(rows, X, stage, randomNumbers(settings.seed), epoch);
}

/** The paper's pruning: `stages` of [nonzeros, epochs], survivors restarted after every prune. */
function trainPruned(X, settings, found) {
  const random = randomNumbers(settings.seed);
  const initial = fullRows(X.nItems, settings.width, random);
  let rows = { ...initial, values: initial.values.slice() };
  found("epoch", null, rows, settings.width);
  for (const [nnz, epochs] of settings.stages) {
    if (nnz < rows.columns.length / X.nItems) rows = prunedRows(rows, nnz, initial);
    const stage = { ...settings, epochs, decay: false, averaging: 0, hiding: 0, exponent: 0 };
    trainStage(rows, X, stage, random, (loss) => found("epoch", loss, rows, nnz));
  }
}
