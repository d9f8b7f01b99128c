// The cases of the galleries: filters above them, and a window that shows one of them large, its map laid over.
(() => {
  "use strict";
  const MOST_VALUES = 24; // of a subgroup's filter: more would be no choice but a list
  const LARGEST = 8; // how far one may zoom in
  const STEP = 60; // pixels that an arrow key moves a zoomed image

  const cases = [...document.querySelectorAll("article.case[data-image]")];
  const dialog = document.querySelector("dialog.viewer");
  if (!cases.length || !dialog) return;

  /** Make an element; its children are elements or text, never markup. */
  function make(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  }

  const viewsOf = (article) => [...article.querySelectorAll("figure.view")];
  const isWrong = (article, model) => article.dataset.wrong.split(" ").includes(model);
  const subgroupsOf = (article) => [...article.querySelectorAll("[data-subgroup]")];
  const valueOf = (article, subgroup) =>
    subgroupsOf(article).find((one) => one.dataset.subgroup === subgroup)?.querySelector("dd").textContent;

  // ── Filters ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Make a labelled choice: "all", then the options, each a value and what is shown of it. */
  function choice(name, label, all, options) {
    const select = make("select", { name }, make("option", { value: "" }, all));
    select.append(...options.map(([value, shown]) => make("option", { value }, shown)));
    return make("label", {}, make("span", {}, label), select);
  }

  function modelChoice(articles) {
    const models = new Map();
    for (const view of articles.flatMap(viewsOf)) {
      models.set(view.dataset.model, view.querySelector(".task").textContent);
    }
    return choice("model", "Wrong by", "any model", [...models]);
  }

  function outcomeChoice(articles) {
    const outcomes = [...new Set(articles.map((article) => article.dataset.outcome))];
    return choice("outcome", "Outcome", "all", outcomes.map((outcome) => [outcome, outcome]));
  }

  function subgroupChoices(articles) {
    const values = new Map();
    for (const one of articles.flatMap(subgroupsOf)) {
      const name = one.dataset.subgroup;
      if (!values.has(name)) values.set(name, { label: one.querySelector("dt").textContent, found: new Set() });
      values.get(name).found.add(one.querySelector("dd").textContent);
    }
    return [...values]
      .filter(([, { found }]) => found.size > 1 && found.size <= MOST_VALUES)
      .map(([name, { label, found }]) => {
        const sorted = [...found].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
        return choice(`subgroup-${name}`, label, "all", sorted.map((value) => [value, value]));
      });
  }

  function orderChoice() {
    return choice("order", "Order", "shared errors first", [["surest", "surest errors first"]]);
  }

  /** Say whether a case is what the fields of a form ask for. */
  function fits(article, fields) {
    return fields.every(([name, wanted]) => {
      if (!wanted || name === "order") return true;
      if (name === "model") return isWrong(article, wanted);
      if (name === "outcome") return article.dataset.outcome === wanted;
      if (name.startsWith("subgroup-")) return valueOf(article, name.slice("subgroup-".length)) === wanted;
      const about = `${article.dataset.image}\n${article.dataset.patient}`.toLowerCase();
      return about.includes(wanted.trim().toLowerCase());
    });
  }

  function arrange(gallery, articles, bySurest) {
    const certainty = (article) => Number(article.dataset.certainty);
    const mine = articles.filter((article) => gallery.contains(article));
    gallery.append(...(bySurest ? mine.sort((a, b) => certainty(b) - certainty(a)) : mine));
  }

  /** Set filters above the galleries of a chapter. */
  function addFilters(articles) {
    const groups = [...new Set(articles.map((article) => article.closest(".cases")))];
    const search = make("input", { type: "search", name: "search", placeholder: "image or patient", autocomplete: "off" });
    const count = make("p", { class: "viewer-count", role: "status" });
    const form = make(
      "form",
      { class: "viewer-filters", role: "search", "aria-label": "Filter the cases" },
      make("label", {}, make("span", {}, "Search"), search),
      modelChoice(articles),
      outcomeChoice(articles),
      ...subgroupChoices(articles),
      orderChoice(),
      make("div", { class: "viewer-found" }, count, make("button", { type: "reset", class: "clear" }, "Clear filters")),
    );

    function filter() {
      const fields = [...new FormData(form)];
      articles.forEach((article) => (article.hidden = !fits(article, fields)));
      const shown = articles.filter((article) => !article.hidden).length;
      count.textContent = `${shown} of ${articles.length} ${articles.length === 1 ? "case" : "cases"}`;
      for (const group of groups) {
        arrange(group.querySelector(".gallery"), articles, form.elements.order.value === "surest");
        group.hidden = !group.querySelector("article.case:not([hidden])");
      }
    }

    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter)); // the fields are emptied after the event
    groups[0].before(form);
    filter();
  }

  // ── One case, large ──────────────────────────────────────────────────────────────────────────────────────────────

  const part = (selector) => dialog.querySelector(selector);
  const stage = part(".viewer-stage");
  const layers = part(".viewer-layers");
  const image = make("img", { class: "viewer-image", draggable: "false" });
  const overlay = make("img", { class: "viewer-overlay", draggable: "false" });
  const overlayChoice = part("select[name=overlay]");
  const opacity = part("input[name=opacity]");
  let current = null;
  let model = null; // whose map is wanted, from case to case
  let withMap = true;

  const shownCases = () => [...document.querySelectorAll("article.case[data-image]:not([hidden])")];

  function show(article) {
    const shown = shownCases();
    current = article;
    part(".viewer-title .verdict").textContent = article.querySelector(".verdict").textContent;
    part(".viewer-title .name").textContent = article.dataset.image;
    part(".viewer-place").textContent = `${shown.indexOf(article) + 1} of ${shown.length}`;
    part(".viewer-facts").replaceChildren(article.querySelector("dl").cloneNode(true));
    part(".viewer-views").replaceChildren(...viewsOf(article).map(opinion));
    setPicture(image, article.querySelector("figure.image img"));
    offerOverlays(article);
    zoomTo(1);
  }

  function opinion(view) {
    const line = make("li", {}, ...view.querySelector("figcaption").cloneNode(true).childNodes);
    line.querySelector("br")?.remove();
    return line;
  }

  function setPicture(target, source) {
    target.hidden = !source;
    target.alt = source?.alt ?? "";
    if (source) target.src = source.src;
    else target.removeAttribute("src");
  }

  /** Offer the maps that there are, and choose the wanted model's, else the first wrong one's. */
  function offerOverlays(article) {
    const drawn = viewsOf(article).filter((view) => view.querySelector("img"));
    const options = drawn.map((view) => {
      const mark = isWrong(article, view.dataset.model) ? "✗" : "✓";
      return make("option", { value: view.dataset.model }, `${view.querySelector(".task").textContent} ${mark}`);
    });
    overlayChoice.replaceChildren(...options, make("option", { value: "" }, "no map"));
    const wanted = drawn.find((view) => view.dataset.model === model);
    const usual = drawn.find((view) => isWrong(article, view.dataset.model)) ?? drawn[0];
    overlayChoice.value = (withMap && (wanted ?? usual)?.dataset.model) || "";
    lay();
  }

  /** Lay the chosen map over the image, as strongly as wished. */
  function lay() {
    const view = viewsOf(current).find((one) => one.dataset.model === overlayChoice.value);
    setPicture(overlay, view?.querySelector("img"));
    overlay.style.opacity = opacity.value / 100;
    opacity.setAttribute("aria-valuetext", `${opacity.value}%`);
    part(".of-opacity output").textContent = `${opacity.value}%`;
    part(".viewer-nothing").hidden = !(image.hidden && overlay.hidden);
  }

  function chooseMap() {
    withMap = overlayChoice.value !== "";
    if (withMap) model = overlayChoice.value;
    lay();
  }

  function toggleMap() {
    withMap = !withMap;
    offerOverlays(current);
  }

  function turn(places) {
    const shown = shownCases();
    show(shown[(shown.indexOf(current) + places + shown.length) % shown.length]);
  }

  function open(article, wish) {
    if (wish) [model, withMap] = [wish, true];
    dialog.showModal();
    show(article);
    stage.focus();
  }

  // ── Zoom and move ────────────────────────────────────────────────────────────────────────────────────────────────

  let scale = 1;
  let offset = { x: 0, y: 0 }; // pixels between the middles of image and stage

  function moveTo(x, y) {
    const limit = (length) => ((scale - 1) * length) / 2;
    const within = (value, most) => Math.min(Math.max(value, -most), most);
    offset = { x: within(x, limit(stage.clientWidth)), y: within(y, limit(stage.clientHeight)) };
    layers.style.transform = `translate(${offset.x}px, ${offset.y}px) scale(${scale})`;
  }

  /** Zoom so that a point of the stage, counted from its middle, stays where it is. */
  function zoomTo(wanted, point = { x: 0, y: 0 }) {
    const before = scale;
    scale = Math.min(Math.max(wanted, 1), LARGEST);
    const kept = (at, value) => at - ((at - value) * scale) / before;
    moveTo(kept(point.x, offset.x), kept(point.y, offset.y));
    stage.classList.toggle("zoomed", scale > 1);
    part(".viewer-zoom .reset").textContent = `${Math.round(100 * scale)}%`;
  }

  function wheel(event) {
    event.preventDefault();
    const frame = stage.getBoundingClientRect();
    const point = { x: event.clientX - frame.x - frame.width / 2, y: event.clientY - frame.y - frame.height / 2 };
    zoomTo(scale * Math.exp(-event.deltaY / 400), point);
  }

  function drag(event) {
    if (event.buttons & 1 && scale > 1) moveTo(offset.x + event.movementX, offset.y + event.movementY);
  }

  // ── Keys and clicks ──────────────────────────────────────────────────────────────────────────────────────────────

  const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const ACTIONS = {
    j: () => turn(1),
    k: () => turn(-1),
    m: toggleMap,
    "+": () => zoomTo(scale * 1.25),
    "=": () => zoomTo(scale * 1.25),
    "-": () => zoomTo(scale / 1.25),
    "−": () => zoomTo(scale / 1.25),
    0: () => zoomTo(1),
  };

  function press(event) {
    if (!dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = ACTIONS[event.key.toLowerCase()] ?? arrow(event);
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Say what an arrow key does: it belongs to a field that has the focus, moves a zoomed image, else turns pages. */
  function arrow(event) {
    const move = MOVES[event.key];
    if (!move || event.target.matches("input, select")) return null;
    if (scale > 1) return () => moveTo(offset.x + STEP * move[0], offset.y + STEP * move[1]);
    return move[0] ? () => turn(-move[0]) : null;
  }

  /** Make a case open by a click anywhere on it, and by a button for the keyboard. */
  function prepare(article) {
    const name = `Open ${article.dataset.image} in the viewer`;
    const button = make("button", { type: "button", class: "open", "aria-haspopup": "dialog", "aria-label": name }, "View");
    article.querySelector(".facts").append(button);
    article.tabIndex = -1;
    article.addEventListener("click", (event) => {
      const selecting = String(getSelection()) && !button.contains(event.target);
      if (!selecting) open(article, event.target.closest("figure.view:not(.bare)")?.dataset.model);
    });
    article.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target !== article) return;
      event.preventDefault();
      open(article);
    });
  }

  for (const chapter of document.querySelectorAll("main > section")) {
    const articles = cases.filter((article) => chapter.contains(article));
    if (articles.length) addFilters(articles);
  }
  cases.forEach(prepare);
  layers.append(image, overlay);
  part("button.next").addEventListener("click", () => turn(1));
  part("button.previous").addEventListener("click", () => turn(-1));
  part("button.close").addEventListener("click", () => dialog.close());
  part("button.larger").addEventListener("click", () => zoomTo(scale * 1.5));
  part("button.smaller").addEventListener("click", () => zoomTo(scale / 1.5));
  part("button.reset").addEventListener("click", () => zoomTo(1));
  opacity.addEventListener("input", lay);
  overlayChoice.addEventListener("change", chooseMap);
  stage.addEventListener("wheel", wheel, { passive: false });
  stage.addEventListener("pointerdown", (event) => scale > 1 && stage.setPointerCapture(event.pointerId));
  stage.addEventListener("pointermove", drag);
  addEventListener("resize", () => moveTo(offset.x, offset.y));
  document.addEventListener("keydown", press); // a click beside the controls takes the focus out of the window
  // The reader goes on where the viewer was left, be it another case than it was opened with.
  dialog.addEventListener("close", () => current.querySelector("button.open").focus());
})();
