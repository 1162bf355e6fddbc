// The search box: a combobox with a listbox, as WAI-ARIA describes it.

const SHOWN = 8;

/** Text without case and accents, to compare. */
function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Every item that has all words of the query: titles that begin with it first, then by place. */
function search(haystacks, places, query) {
  const wanted = fold(query).trim();
  if (!wanted) return [];
  const words = wanted.split(/\s+/);
  const begins = (item) => haystacks[item].startsWith(wanted);
  return [...haystacks.keys()]
    .filter((item) => words.every((word) => haystacks[item].includes(word)))
    .sort((a, b) => begins(b) - begins(a) || places[a] - places[b]);
}

/**
 * Make `input` and `list` work together. `find(query)` gives items, `option(item)` what a line
 * shows, `choose(item)` takes one, `say(text)` announces.
 */
function makeCombobox({ input, list, find, option, choose, say, nouns }) {
  let items = [];
  let active = -1;

  function show(found) {
    items = found.slice(0, SHOWN);
    list.replaceChildren(
      ...items.map((item, place) => {
        const line = make("li", { role: "option", id: `${list.id}-${place}` }, ...option(item));
        line.addEventListener("mousedown", (event) => event.preventDefault()); // keep the focus
        line.addEventListener("click", () => take(place));
        return line;
      }),
    );
    list.hidden = !items.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    move(items.length ? 0 : -1);
  }

  function move(place) {
    active = place;
    [...list.children].forEach((line, k) => line.setAttribute("aria-selected", String(k === place)));
    if (place < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  }

  function take(place) {
    const item = items[place];
    input.value = "";
    show([]);
    choose(item);
  }

  function look() {
    const found = find(input.value);
    show(found);
    if (!input.value.trim()) return;
    const count = `${found.length} ${nouns[found.length === 1 ? 0 : 1]} found`;
    say(found.length > SHOWN ? `${count}, ${SHOWN} shown` : count);
  }

  const keys = {
    ArrowDown: () => (list.hidden ? look() : move((active + 1) % items.length)),
    ArrowUp: () => (list.hidden ? look() : move((active + items.length - 1) % items.length)),
    Enter: () => active >= 0 && take(active),
    Escape: () => {
      if (list.hidden) input.value = "";
      show([]);
    },
  };
  input.addEventListener("input", look);
  input.addEventListener("blur", () => show([]));
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}
