// Figure 2 of the paper: the user's latents as grey bars, an arrow at each latent of a
// recommended segment, up or down by its sign.

const HEIGHT = 240;
const MIDDLE = HEIGHT / 2;
const TALLEST = 52; // of a bar, in pixels; an arrow goes on from its end
const FARTHEST = 92; // tip of the first segment's arrow, from the axis
const CLOSER = 6; // of each further one, so that neighbours stay apart
const EDGE = 14;

/**
 * Draw latents and segments into `svg`, as wide as it is on the screen: all latents, or of those
 * that are items only what is not zero or has an arrow, since most are zero.
 */
function drawLatents(svg, latents, segments, areItems) {
  const width = Math.max(svg.clientWidth, 200);
  const pointed = new Set(segments.flatMap(({ latents: ends }) => ends.map(({ latent }) => latent)));
  const drawn = [...latents.keys()].filter((latent) => !areItems || latents[latent] || pointed.has(latent));
  const places = new Map(drawn.map((latent, place) => [latent, place]));
  const step = (width - 2 * EDGE) / drawn.length;
  const x = (latent) => EDGE + (places.get(latent) + 0.5) * step;
  const largest = latents.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  const end = (latent) => (-latents[latent] / largest) * TALLEST;
  const bars = drawn.map((latent) => `M${x(latent).toFixed(1)} ${MIDDLE}v${end(latent).toFixed(1)}`);
  const mark = (text, at, anchor) =>
    makeSvg("text", { x: at, y: HEIGHT - 2, "text-anchor": anchor, class: "celsa-axis" }, text);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren(
    makeSvg("path", { d: `M${EDGE} ${MIDDLE}H${width - EDGE}`, class: "celsa-line" }),
    makeSvg("path", { d: bars.join(""), class: "celsa-bars", "stroke-width": Math.max(1.5, step * 0.8) }),
    ...(areItems ? [] : [mark("latent 0", EDGE, "start"), mark(String(latents.length - 1), width - EDGE, "end")]),
    ...segments.flatMap(({ number, latents: ends }) =>
      ends.map(({ latent, up }) => arrow(number, x(latent), up, up === end(latent) < 0 ? Math.abs(end(latent)) : 0)),
    ),
  );
}

/** An arrow up or down, `start` pixels from the axis, with its segment's number at the tip. */
function arrow(number, x, up, start) {
  const way = up ? -1 : 1;
  const y = (distance) => MIDDLE + way * distance;
  const tip = FARTHEST - CLOSER * (number - 1);
  return makeSvg(
    "g",
    { class: `celsa-arrow celsa-color-${number}` },
    makeSvg("path", { d: `M${x} ${y(start + 2)}V${y(tip - 6)}`, class: "celsa-shaft" }),
    makeSvg("path", { d: `M${x - 5} ${y(tip - 8)}h10L${x} ${y(tip)}z`, class: "celsa-head" }),
    makeSvg("circle", { cx: x, cy: y(tip + 10), r: 8 }),
    makeSvg("text", { x, y: y(tip + 10), dy: "0.35em", "text-anchor": "middle" }, String(number)),
  );
}
