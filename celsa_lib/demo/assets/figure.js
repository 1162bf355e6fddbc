// Figure 2 of the paper: the user's latents as grey bars, and at the end of a bar an arrow for each
// recommended segment that has this latent, up or down by its sign.

const [MIDDLE, SHALLOW] = [130, 36]; // room above the axis, and below it where hardly a bar goes down
const TALLEST = 74; // of a bar, in pixels; an arrow goes on from its end
const ARROW = 22; // from the end of a bar to the tip
const EDGE = 14;
const ROOM = 17; // for a bar with the number of its arrow
const MOST_BARS = 60;
const HARDLY = 0.15; // of the largest value

/**
 * Draw into `svg`, as wide as it is on the screen, the strongest latents by falling value. `marks`
 * are the arrows, [{number, latent, up}], at latents that are not zero.
 */
function drawLatents(svg, latents, marks) {
  const width = Math.max(svg.clientWidth, 200);
  const room = Math.min(MOST_BARS, Math.floor((width - 2 * EDGE) / ROOM));
  const drawn = strongest(latents, room).sort((a, b) => latents[b] - latents[a] || a - b);
  const step = Math.min((width - 2 * EDGE) / Math.max(1, drawn.length), 2 * ROOM);
  const places = new Map(drawn.map((latent, place) => [latent, EDGE + (place + 0.5) * step]));
  const largest = drawn.reduce((most, latent) => Math.max(most, Math.abs(latents[latent])), 1e-9);
  const end = (latent) => (-latents[latent] / largest) * TALLEST;
  const bars = drawn.map((latent) => `M${places.get(latent).toFixed(1)} ${MIDDLE}v${end(latent).toFixed(1)}`);
  const goesDown = marks.some(({ up }) => !up) || drawn.some((latent) => latents[latent] < -HARDLY * largest);
  const height = MIDDLE + (goesDown ? MIDDLE : SHALLOW);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  svg.replaceChildren(
    makeSvg("path", { d: `M${EDGE} ${MIDDLE}H${width - EDGE}`, class: "celsa-line" }),
    makeSvg("path", { d: bars.join(""), class: "celsa-bars", "stroke-width": Math.max(1.5, step * 0.62) }),
    ...marks
      .filter(({ latent }) => places.has(latent))
      .map(({ number, latent, up }) => arrow(number, places.get(latent), up, up === end(latent) < 0 ? Math.abs(end(latent)) : 0)),
  );
}

/** The `n` latents of the largest absolute value, none that is zero. */
function strongest(latents, n) {
  return best(latents.map(Math.abs), latents.keys(), n).filter((latent) => latents[latent]);
}

/** An arrow up or down from `start` pixels off the axis, with its segment's number at the tip. */
function arrow(number, x, up, start) {
  const way = up ? -1 : 1;
  const y = (distance) => (MIDDLE + way * distance).toFixed(1);
  const [at, tip] = [x.toFixed(1), start + ARROW];
  return makeSvg(
    "g",
    { class: `celsa-arrow celsa-color-${number}` },
    makeSvg("path", { d: `M${at} ${y(start + 1)}V${y(tip - 6)}`, class: "celsa-shaft" }),
    makeSvg("path", { d: `M${x - 5} ${y(tip - 8)}h10L${at} ${y(tip)}z`, class: "celsa-head" }),
    makeSvg("circle", { cx: at, cy: y(tip + 9), r: 8 }),
    makeSvg("text", { x: at, y: y(tip + 9), dy: "0.35em", "text-anchor": "middle" }, String(number)),
  );
}
