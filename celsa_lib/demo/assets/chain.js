// Why an item: lines from the picks through latents and segments to it, as thick as what they add.

const LINE_HEIGHT = 58; // of a latent
const THICKEST = 16;
const LETTER = 6.6; // pixels, about: a title is cut to its column

/** Draw `lines`, [{picks, latent, segment, color, share, text}], of an item called `title`. */
function drawChain(svg, lines, title) {
  const width = Math.max(svg.clientWidth, 480);
  const height = Math.max(1, lines.length) * LINE_HEIGHT;
  const columns = [0, 0.26, 0.55, 0.83].map((part) => part * width);
  const ends = [0.22, 0.51, 0.78, 1].map((part) => part * width);
  const total = lines.reduce((sum, { share }) => sum + share, 1e-9);
  const y = (place) => (place + 0.5) * LINE_HEIGHT;
  const short = (text, column) => cut(text, (ends[column] - columns[column]) / LETTER);
  const word = (text, column, at, kind = "") =>
    makeSvg("text", { x: columns[column], y: at, dy: "0.35em", class: `celsa-word ${kind}` }, short(text, column));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  const goal = height / 2;
  svg.replaceChildren(
    ...lines.flatMap(({ picks, latent, segment, color, share, text }, place) => {
      const at = y(place);
      const line = { class: `celsa-flow ${color}`, "stroke-width": Math.max(1.5, (share / total) * THICKEST).toFixed(1) };
      const bend = (ends[2] + columns[3]) / 2;
      return [
        makeSvg("path", { d: `M${ends[0]} ${at}H${columns[1] - 6}`, ...line }),
        makeSvg("path", { d: `M${ends[1]} ${at}H${columns[2] - 6}`, ...line }),
        makeSvg("path", { d: `M${ends[2]} ${at}C${bend} ${at} ${bend} ${goal} ${columns[3] - 6} ${goal}`, ...line }),
        word(picks, 0, at),
        word(latent, 1, at),
        word(segment, 2, at - 8, color),
        word(text, 2, at + 10, "celsa-share"),
      ];
    }),
    word(title, 3, goal, "celsa-goal"),
  );
}

/** Text of `most` letters at the most, "…" where it was longer. */
function cut(text, most) {
  return text.length <= most ? text : `${text.slice(0, Math.max(1, Math.floor(most) - 1)).trimEnd()}…`;
}
