// Light or dark before the first paint: what was chosen here before, or else what the system asks for.
(() => {
  const key = "cryofed.theme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const asked = new URLSearchParams(location.search).get("theme");
  const stored = () => { try { return localStorage.getItem(key); } catch { return null; } };
  const show = (theme) => { document.documentElement.dataset.theme = theme; };
  show(asked || stored() || (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => { if (!stored()) show(dark.matches ? "dark" : "light"); });
  window.toggleTheme = () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem(key, next); } catch { /* private window: not remembered */ }
    show(next);
    return next;
  };
})();
