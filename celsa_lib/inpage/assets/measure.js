// nDCG@100 on held-out users, as celsa_lib.evaluation has it.

const CUTOFF = 100;

/** Mean nDCG@100 over the users with a target. `scoresOf(user)` are all items' scores; what is in
 * `given` is left out of the ranking, and of equal scores the lower index comes first. */
function meanNdcg(scoresOf, given, target) {
  const discounts = Array.from({ length: CUTOFF }, (_, rank) => 1 / Math.log2(rank + 2));
  let sum = 0, users = 0;
  for (let user = 0; user + 1 < target.starts.length; user++) {
    const wanted = target.items.subarray(target.starts[user], target.starts[user + 1]);
    if (!wanted.length) continue;
    const scores = scoresOf(user);
    for (let n = given.starts[user]; n < given.starts[user + 1]; n++) scores[given.items[n]] = -Infinity;
    let gained = 0, best = 0;
    for (const item of wanted) gained += discounts[rankOf(item, scores)] ?? 0;
    for (let rank = 0; rank < Math.min(wanted.length, CUTOFF); rank++) best += discounts[rank];
    sum += gained / best;
    users++;
  }
  return sum / users;
}

/** How many items come before `item`. */
function rankOf(item, scores) {
  let rank = 0;
  for (let other = 0; other < scores.length; other++) {
    if (scores[other] > scores[item] || (scores[other] === scores[item] && other < item)) rank++;
  }
  return rank;
}

/** Scores of the users of `given` by a result's rows; of what is given they are not meant. */
function scoresBy({ starts, columns, width, unit, output, input }, given) {
  const latents = new Float64Array(width), scores = new Float64Array(given.nItems);
  return (user) => {
    latents.fill(0);
    for (let n = given.starts[user]; n < given.starts[user + 1]; n++) {
      const item = given.items[n];
      for (let k = starts[item]; k < starts[item + 1]; k++) latents[columns[k]] += input[item] * unit[k];
    }
    for (let item = 0; item < given.nItems; item++) {
      let score = 0;
      for (let k = starts[item]; k < starts[item + 1]; k++) score += unit[k] * latents[columns[k]];
      scores[item] = output[item] * score;
    }
    return scores;
  };
}

/** How many users of X have each item. */
function popularityOf(X) {
  const counts = new Float64Array(X.nItems);
  for (const item of X.items) counts[item]++;
  return counts;
}
