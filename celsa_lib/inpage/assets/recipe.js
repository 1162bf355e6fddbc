// The recommended setting of some histories, as celsa_lib.models.recipes fills it.

/** What follows from the users of X: {rate, hiding, exponent, batchSize, nonNegative, reg, …}; smallReg is
    the reg of rows of smallRows nonzeros and fewer. */
function recommendedFor(X, numbers) {
  const learners = learnersOf(X).length, many = learners >= numbers.fewUsers;
  const short = X.items.length < numbers.shortHistories * learners;
  const [few, ofShort, ofLong] = numbers.exponents;
  const wanted = Math.max(1, Math.floor(learners / numbers.fewestSteps));
  const byUsers = many ? numbers.ofMany : numbers.ofFew;
  return {
    ...numbers,
    ...byUsers,
    smallReg: many && short ? byUsers.reg : numbers.smallReg,
    hiding: hidingFor(learners, numbers.hiding),
    exponent: !many ? few : short ? ofShort : ofLong,
    batchSize: Math.min(numbers.largestBatch, 2 ** Math.floor(Math.log2(wanted))),
  };
}

/** The share to hide, by log10 of the users: between two of them on a line, and even beyond. */
function hidingFor(learners, [[from, to], [high, low]]) {
  const share = Math.min(1, Math.max(0, (Math.log10(learners) - from) / (to - from)));
  return Math.round(100 * (high + share * (low - high))) / 100;
}
