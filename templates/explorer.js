// The explorer of operating points: reckons from the embedded predictions what metrics.json holds, at any threshold.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const [SIZE, LEFT, BOTTOM, TOP] = [300, 44, 40, 8];
  const DASHES = ["", "7 3", "2 2.5"]; // as in the report's figures, see palette.py
  const MARKERS = [
    "M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z",
    "M-4.5-4.5H4.5V4.5H-4.5Z",
    "M0-5.5L5.5 4.5H-5.5Z",
    "M0-6L6 0L0 6L-6 0Z",
    "M0 5.5L5.5-4.5H-5.5Z",
    "M-2-5.5H2V-2H5.5V2H2V5.5H-2V2H-5.5V-2H-2Z",
  ];
  const LONGEST = 40; // letters of a name within the ROC
  const PAUSE = 800; // milliseconds after the last move until a screen reader is told

  // ── Figures ──────────────────────────────────────────────────────────────────────────────────────────────────────

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const share = (part, whole) => (whole ? part / whole : null);

  /** Decode a model's scores, which fall, and count the positives among the first i images. */
  function decode(model) {
    const view = new DataView(bytes(model.scores).buffer);
    const truth = bytes(model.truth);
    const scores = new Float64Array(view.byteLength / 8);
    const positives = new Int32Array(scores.length + 1);
    for (let i = 0; i < scores.length; i++) {
      scores[i] = view.getFloat64(8 * i, true);
      positives[i + 1] = positives[i] + ((truth[i >> 3] >> (i & 7)) & 1);
    }
    const shown = positives[scores.length];
    const [positivesWithout, negativesWithout] = model.withoutResult;
    const all = [shown + positivesWithout, scores.length - shown + negativesWithout];
    return { ...model, scores, positives, shown, all, prevalence: share(all[0], all[0] + all[1]) };
  }

  /** Count the scores that pass a test which holds for the first of them and fails for the rest. */
  function leading(scores, passes) {
    let [low, high] = [0, scores.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (passes(scores[middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Reckon a model's figures; a prevalence of null is that of its own images. */
  function reckon(model, threshold, prevalence) {
    const called = leading(model.scores, (score) => score >= threshold);
    const tp = model.positives[called];
    const fp = called - tp;
    const fn = model.shown - tp;
    const tn = model.scores.length - called - fn;
    const [sensitivity, specificity] = [share(tp, model.all[0]), share(tn, model.all[1])];
    const known = sensitivity !== null && specificity !== null;
    let [ppv, npv] = [null, null];
    if (prevalence === null) [ppv, npv] = [share(tp, tp + fp), share(tn, tn + fn)];
    else if (known) [ppv, npv] = predictive(sensitivity, specificity, prevalence);
    const at = prevalence === null ? model.prevalence : prevalence;
    const missed = sensitivity === null ? null : 1000 * at * (1 - sensitivity);
    const alarms = specificity === null ? null : 1000 * (1 - at) * (1 - specificity);
    return { tp, fp, fn, tn, sensitivity, specificity, ppv, npv, missed, alarms };
  }

  /** Carry the predictive values over to a prevalence by Bayes' theorem. */
  function predictive(sensitivity, specificity, prevalence) {
    const called = sensitivity * prevalence + (1 - specificity) * (1 - prevalence);
    const ppv = called > 0 ? (sensitivity * prevalence) / called : null;
    const npv = called < 1 ? (specificity * (1 - prevalence)) / (1 - called) : null;
    return [ppv, npv];
  }

  const COUNTS = ["tp", "fp", "fn", "tn"];
  const RATES = ["missed", "alarms"];
  const percent = (value) => `${(100 * value).toFixed(1)}%`;

  function written(name, value) {
    if (value === null) return "–";
    if (COUNTS.includes(name)) return value.toLocaleString("en-US");
    return RATES.includes(name) ? value.toFixed(1) : percent(value);
  }

  // ── The ROC ──────────────────────────────────────────────────────────────────────────────────────────────────────

  const x = (rate) => LEFT + SIZE * rate;
  const y = (rate) => TOP + SIZE * (1 - rate);

  function draw(parent, name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }

  function drawAxes(svg) {
    for (const rate of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      draw(svg, "line", { class: "grid", x1: x(rate), x2: x(rate), y1: y(0), y2: y(1) });
      draw(svg, "line", { class: "grid", x1: x(0), x2: x(1), y1: y(rate), y2: y(rate) });
      draw(svg, "text", { class: "tick", x: x(rate), y: y(0) + 15, "text-anchor": "middle" }, `${100 * rate}%`);
      draw(svg, "text", { class: "tick", x: x(0) - 6, y: y(rate) + 4, "text-anchor": "end" }, `${100 * rate}%`);
    }
    draw(svg, "line", { class: "chance", x1: x(0), x2: x(1), y1: y(0), y2: y(1) });
    draw(svg, "text", { class: "axis", x: x(0.5), y: y(0) + 33, "text-anchor": "middle" }, "1 − specificity (false alarms)");
    const turned = `rotate(-90) translate(${-y(0.5)} 10)`;
    draw(svg, "text", { class: "axis", transform: turned, "text-anchor": "middle" }, "Sensitivity (found)");
  }

  /** Give the curve's path, a point for each distinct score that moves it by a visible step. */
  function path(model) {
    const { scores, positives, all } = model;
    const steps = [];
    for (let i = 0; i <= scores.length; i++) {
      if (i > 0 && i < scores.length && scores[i] === scores[i - 1]) continue;
      const alarms = (i - positives[i] + model.withoutResult[1]) / all[1];
      const step = `${x(alarms).toFixed(1)} ${y(positives[i] / all[0]).toFixed(1)}`;
      if (step !== steps.at(-1)) steps.push(step);
    }
    return `M${steps.join("L")}`;
  }

  function drawModel(svg, model, place) {
    const group = draw(svg, "g", { class: "of-model", style: `--colour: var(--m${model.colour})` });
    if (!model.all[0] || !model.all[1]) return null;
    const shape = { d: MARKERS[model.marker] };
    const line = y(0) - 14 - 18 * place;
    const name = model.name.length > LONGEST ? `${model.name.slice(0, LONGEST)}…` : model.name;
    draw(group, "path", { class: "curve", d: path(model), "stroke-dasharray": DASHES[model.dash] });
    draw(group, "text", { x: x(1) - 24, y: line + 4, "text-anchor": "end" }, name);
    draw(group, "path", { class: "mark", ...shape, transform: `translate(${x(1) - 12} ${line})` });
    const recorded = draw(group, "path", { class: "recorded-mark", ...shape });
    const mark = draw(group, "path", { class: "mark", ...shape });
    move(recorded, reckon(model, model.threshold, null), " scale(1.7)");
    return { group, mark };
  }

  function move(mark, figures, scale = "") {
    const place = `${x(1 - figures.specificity).toFixed(2)} ${y(figures.sensitivity).toFixed(2)}`;
    mark.setAttribute("transform", `translate(${place})${scale}`);
  }

  function drawRoc(figure, models) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${LEFT + SIZE + 14} ${TOP + SIZE + BOTTOM}`);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `ROC curves of ${models.map((model) => model.name).join(", ")} with their thresholds`);
    drawAxes(svg);
    const drawn = models.map((model, place) => drawModel(svg, model, models.length - 1 - place));
    figure.prepend(svg);
    figure.hidden = false;
    return drawn;
  }

  // ── Controls ─────────────────────────────────────────────────────────────────────────────────────────────────────

  const shortened = (value) => String(Number(value.toPrecision(6)));

  /** Bind one model's panel; gives what shows its figures anew. */
  function bind(panel, model, drawn, prevalence, announce) {
    const find = (name) => panel.querySelector(name);
    const [slider, exact, back] = [find(".threshold"), find(".threshold-exact"), find(".back")];
    let threshold = model.threshold;

    function show() {
      const figures = reckon(model, threshold, prevalence());
      for (const [name, value] of Object.entries(figures)) {
        const cell = find(`[data-figure="${name}"]`);
        cell.dataset.value = value === null ? "" : String(value);
        cell.textContent = written(name, value);
      }
      const left = threshold !== model.threshold;
      find(".exploratory").hidden = !left;
      find(".recorded").hidden = left;
      panel.classList.toggle("left", left);
      panel.dataset.threshold = String(threshold);
      back.setAttribute("aria-disabled", String(!left));
      slider.setAttribute("aria-valuetext", shortened(threshold));
      if (drawn) move(drawn.mark, figures);
      return figures;
    }

    function set(value, source) {
      threshold = value;
      if (source !== slider) slider.value = String(value);
      if (source !== exact) exact.value = shortened(value);
      exact.removeAttribute("aria-invalid");
      const figures = show();
      const standing = threshold === model.threshold ? "recorded" : "exploratory";
      const told = ["sensitivity", "specificity"].map((name) => `${name} ${written(name, figures[name])}`);
      announce(`${model.name}: threshold ${shortened(threshold)}, ${standing}; ${told.join(", ")}`);
    }

    const step = (value) => value !== undefined && set(value);
    slider.addEventListener("input", () => set(Number(slider.value), slider));
    exact.addEventListener("input", () => {
      if (Number.isFinite(exact.valueAsNumber)) set(exact.valueAsNumber, exact);
      else exact.setAttribute("aria-invalid", "true");
    });
    back.addEventListener("click", () => set(model.threshold));
    find(".next").addEventListener("click", () => step(model.scores[leading(model.scores, (one) => one > threshold) - 1]));
    find(".previous").addEventListener("click", () => step(model.scores[leading(model.scores, (one) => one >= threshold)]));
    for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focusin", true], ["focusout", false]]) {
      panel.addEventListener(event, () => drawn?.group.classList.toggle("pointed", on));
    }
    exact.value = shortened(threshold);
    return show;
  }

  /** Bind the field of the prevalence that all models share; gives what reads it: 0 … 1, null for the set's own. */
  function bindPrevalence(explorer, data, changed) {
    const field = explorer.querySelector(".prevalence");
    let prevalence = data.stated;

    function set(value) {
      prevalence = value;
      const shown = value === null ? data.own : value;
      field.value = shown === null ? "" : shortened(100 * shown);
      field.removeAttribute("aria-invalid");
      changed();
    }

    field.addEventListener("input", () => {
      const value = field.valueAsNumber;
      const valid = value >= 0 && value <= 100;
      if (!valid) return field.setAttribute("aria-invalid", "true");
      field.removeAttribute("aria-invalid");
      prevalence = value / 100;
      changed();
    });
    explorer.querySelector(".own").addEventListener("click", () => set(null));
    explorer.querySelector(".stated")?.addEventListener("click", () => set(data.stated));
    return { read: () => prevalence, start: () => set(data.stated) };
  }

  function announcer(region) {
    let waiting;
    return (text) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => (region.textContent = text), PAUSE);
    };
  }

  function start(explorer) {
    const data = JSON.parse(explorer.querySelector('script[type="application/json"]').textContent);
    const models = data.models.map(decode);
    const drawn = drawRoc(explorer.querySelector(".roc"), models);
    const announce = announcer(explorer.querySelector('[role="status"]'));
    const shows = [];
    const prevalence = bindPrevalence(explorer, data, () => shows.forEach((show) => show()));
    explorer.querySelectorAll(".model").forEach((panel, place) => {
      shows.push(bind(panel, models[place], drawn[place], prevalence.read, announce));
    });
    prevalence.start();
    explorer.querySelectorAll(".controls").forEach((one) => (one.hidden = false));
    explorer.querySelector(".intro").hidden = true;
  }

  document.querySelectorAll(".explorer").forEach(start);
})();
