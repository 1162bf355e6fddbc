// What the page asks of a worker, and what it hears: "table" and "data" of a file, "described", "part"
// and "epoch" of a training, "done"; "refused" says what the reader can mend.

let read = null; // the file that was looked at last: {name, text}

const ASKED = {
  /** The layout of a file. */
  async look({ file, limits }) {
    read = { name: file.name, text: await textOf(file, limits) };
    postMessage({ kind: "table", ...layoutOf(read.text, read.name) });
  },

  /** Its histories, divided. */
  take({ choice, limits, seed }) {
    const found = historiesOf(read.text, read.name, choice, limits);
    postMessage({ kind: "data", ...divided(found, randomNumbers(seed)) });
  },

  /** What there is to know before training: popularities, their nDCG@100, the recommended setting. */
  describe({ train, given, target, numbers }) {
    const counts = popularityOf(train);
    const popular = meanNdcg(() => counts.slice(), given, target);
    postMessage({ kind: "described", counts, popular, recommended: recommendedFor(train, numbers) });
  },

  /** Rows, trained. */
  train({ way, train, given, target, settings }) {
    const started = performance.now(), ways = { anchored: trainAnchored, pruned: trainPruned };
    ways[way](train, settings, (kind, value, rows, nnz) => {
      const seconds = (performance.now() - started) / 1000;
      if (kind === "part") return postMessage({ kind, share: value, seconds });
      const result = resultOf(rows);
      postMessage({ kind, loss: value, nnz, seconds, rows: result, ndcg: meanNdcg(scoresBy(result, given), given, target) });
    });
    postMessage({ kind: "done", seconds: (performance.now() - started) / 1000 });
  },
};

/** Answer a message; what goes wrong becomes one. */
async function answer({ data }) {
  try {
    await ASKED[data.kind](data);
  } catch (error) {
    const text = error instanceof FileError ? error.message : `Training has failed: ${error.message}`;
    postMessage({ kind: "refused", text });
  }
}

if (typeof WorkerGlobalScope !== "undefined") addEventListener("message", answer);
