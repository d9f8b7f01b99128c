// The page around the chapters: contents that fold on a narrow screen and mark the current chapter, and the theme.
(() => {
  "use strict";
  const root = document.documentElement;

  // ── Contents ─────────────────────────────────────────────────────────────────────────────────────────────────────

  const contents = document.querySelector("details.contents-list");
  const wide = matchMedia("(min-width: 78rem)");

  function fold() {
    contents.open = wide.matches;
  }

  function mark(link) {
    contents.querySelector("[aria-current]")?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    contents.querySelector(".current").textContent = link.textContent;
    const list = contents.parentElement;
    if (wide.matches) list.scrollTop = link.offsetTop - list.clientHeight / 2;
  }

  /** Mark the chapter that stands in the upper part of the window. */
  function follow() {
    const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
    const chapters = [...document.querySelectorAll("main > section")].filter((one) => links.has(one.id));
    const seen = new Set();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) seen[entry.isIntersecting ? "add" : "delete"](entry.target);
        const current = chapters.filter((one) => seen.has(one)).at(-1);
        if (current) mark(links.get(current.id));
      },
      { rootMargin: "0px 0px -70% 0px" },
    );
    chapters.forEach((one) => observer.observe(one));
  }

  if (contents) {
    fold();
    wide.addEventListener("change", fold);
    contents.addEventListener("click", (event) => {
      if (event.target.closest("a") && !wide.matches) contents.open = false;
    });
    contents.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || wide.matches) return;
      contents.open = false;
      contents.querySelector("summary").focus();
    });
    follow();
  }

  // ── Reach ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Let the keyboard stop at what is too wide for the screen, so that it can be scrolled, and pass by what is not. */
  function reach() {
    document.querySelectorAll(".scroll, .drawing").forEach((one) => {
      if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
      else one.removeAttribute("tabindex");
    });
  }

  new ResizeObserver(reach).observe(document.querySelector("main"));

  // ── Theme ────────────────────────────────────────────────────────────────────────────────────────────────────────

  const themes = document.querySelector(".themes");

  function choose(theme) {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    try {
      localStorage.setItem("cxrkit-theme", theme);
    } catch {
      // Then the choice holds as long as the page is open.
    }
    press();
  }

  function press() {
    const current = root.dataset.theme ?? "auto";
    themes.querySelectorAll("button").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.value === current));
    });
  }

  if (themes) {
    themes.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => choose(button.value)));
    press();
    themes.hidden = false;
  }
})();
