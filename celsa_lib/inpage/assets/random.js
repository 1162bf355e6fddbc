// Random numbers from a seed, the users of an epoch, and what a step hides.

/** Numbers from 0 to below 1, the same for the same seed (mulberry32, public domain). */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `values` in a random order, in place. */
function shuffle(values, random) {
  for (let last = values.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [values[last], values[other]] = [values[other], values[last]];
  }
  return values;
}

const lengthOf = (X, user) => X.starts[user + 1] - X.starts[user];

/** The users of X that have a history. */
function learnersOf(X) {
  const users = Uint32Array.from({ length: X.starts.length - 1 }, (_, user) => user);
  return users.filter((user) => lengthOf(X, user) > 0);
}

/** The users of an epoch, as `celsa_lib.training.batches.users_of_epoch` draws them: each once, or
 * on average in proportion to (length of the history)^exponent, by systematic sampling. */
function usersOfEpoch(X, exponent, random) {
  const users = shuffle(learnersOf(X), random);
  if (!exponent) return users;
  const ends = new Float64Array(users.length);
  let sum = 0;
  users.forEach((user, n) => { ends[n] = sum += lengthOf(X, user) ** exponent; });
  const first = random(), drawn = new Uint32Array(users.length);
  for (let n = 0, place = 0; n < users.length; n++) {
    while (ends[place] <= (first + n) * (sum / users.length) && place < users.length - 1) place++;
    drawn[n] = users[place];
  }
  return shuffle(drawn, random);
}

// Hiding, as in celsa_lib.training.dropout: by a hash of an interaction's place in X and a seed.

const STRIDE = 0x9e3779b9;

/** The finaliser of MurmurHash3 (Appleby, public domain). */
function mixed(x) {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The seed of a step of training. */
const seedOfStep = (seed, step) => mixed(step ^ mixed(seed ^ STRIDE));

/** Note in `visible` (by place in X) which interactions of `users` a step shows to the encoder. */
function hide(X, users, seed, share, visible) {
  const below = Math.round(share * 2 ** 24);
  for (const user of users) {
    for (let n = X.starts[user]; n < X.starts[user + 1]; n++) {
      visible[n] = mixed(n ^ seed) >>> 8 < below ? 0 : 1;
    }
  }
}
