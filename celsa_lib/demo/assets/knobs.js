// Sliders that steer: one for each segment and latent that is offered, kept while it is turned.

/**
 * Show sliders for `offered`, [{key, name, mark, segment | latent}], in `home`; `turned` is called
 * with what they stand at.
 */
function makeKnobs(home, offered, turned) {
  const sliders = offered.map(({ key, name, mark }) => {
    const slider = make("input", { type: "range", min: "-1", max: "1", step: "0.1", value: "0", "aria-label": `Steer: ${name}`, "data-key": key });
    const value = make("span", { class: "celsa-turn", "aria-hidden": "true" }, "0");
    slider.addEventListener("input", () => {
      value.textContent = turnOf(slider);
      slider.setAttribute("aria-valuetext", turnOf(slider));
      turned(turns(offered, sliders));
    });
    home.append(make("li", {}, make("span", { class: "celsa-knob" }, ...mark, name), slider, value));
    return slider;
  });
}

/** The knobs that are turned: [{segment | latent, turn}]. */
function turns(offered, sliders) {
  return offered
    .map(({ segment, latent }, k) => ({ segment, latent, turn: Number(sliders[k].value) }))
    .filter(({ turn }) => turn);
}

const turnOf = (slider) => `${slider.value > 0 ? "+" : ""}${String(slider.value).replace("-", "−")}`;
