"use strict";
// Of every page: its theme, as the system has it, light or dark; whoever draws hears "themechange" on the document.
(() => {
  const root = document.documentElement;
  const themes = { system: "as the system", light: "light", dark: "dark" };
  const button = document.getElementById("theme");
  const kept = (value) => {
    try {
      if (value) localStorage.setItem("snn-harness-theme", value);
      return localStorage.getItem("snn-harness-theme");
    } catch {
      return null;
    }
  };
  const dress = (name) => {
    if (name === "system") delete root.dataset.theme;
    else root.dataset.theme = name;
    button.textContent = `Theme: ${themes[name]}`;
    document.dispatchEvent(new Event("themechange"));
  };
  const first = new URLSearchParams(location.search).get("theme") || kept();
  dress(Object.hasOwn(themes, first || "") ? first : "system");
  button.addEventListener("click", () => {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(root.dataset.theme || "system") + 1) % names.length];
    dress(next);
    kept(next);
  });
})();
