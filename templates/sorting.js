// Sortable tables: a button in each head; the first click sorts upwards, the second downwards, the third as it was.
(() => {
  "use strict";
  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  /** Give a cell's text without the smaller second line, the marks and the signs of typesetting. */
  function text(cell) {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("small, sup, .better, .swatch").forEach((part) => part.remove());
    return copy.textContent.trim();
  }

  /** Read a figure such as "93.2%", "−0.012", "5,216" or "< 0.001"; null where there is none. */
  function figure(cell) {
    const found = text(cell).replaceAll("−", "-").replaceAll(",", "").match(/[-+]?\d+(\.\d+)?(e[-+]?\d+)?/i);
    return found && Number(found[0]);
  }

  const nothing = (value) => value === null || value === "" || value === "–";
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));

  function sort(table, rows, place, direction) {
    const numeric = table.tHead.rows[0].cells[place].classList.contains("number");
    const keyed = rows.map((row) => [(numeric ? figure : text)(row.cells[place]), row]);
    const sign = direction === "descending" ? -1 : 1;
    // What is missing comes last whichever way the rest is sorted.
    keyed.sort(([a], [b]) => nothing(a) - nothing(b) || (nothing(a) ? 0 : sign * compare(a, b)));
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  }

  function prepare(table) {
    const rows = [...table.tBodies[0].rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const direction = NEXT[head.getAttribute("aria-sort")];
        heads.filter((one) => one.hasAttribute("aria-sort")).forEach((one) => one.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", direction);
        if (direction === "none") table.tBodies[0].append(...rows);
        else sort(table, rows, place, direction);
      });
    });
  }

  document.querySelectorAll("table.sortable").forEach((table) => table.tHead && prepare(table));
})();
