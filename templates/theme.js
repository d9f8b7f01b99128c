// Before anything is shown: the theme that the reader chose before, and that there is JavaScript.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("cxrkit-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch {
    // A browser may keep no storage for local files; then the page follows the system.
  }
})();
