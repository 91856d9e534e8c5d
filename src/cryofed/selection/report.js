const by = id => document.getElementById(id);
const grids = document.querySelectorAll(".grid");
by("sort").onchange = event => {
  const key = event.target.value, way = key === "particles" ? -1 : 1;
  for (const grid of grids)
    grid.append(...[...grid.querySelectorAll("figure")].sort((a, b) => way * (a.dataset[key] - b.dataset[key])));
};
const root = document.documentElement.style;
by("size").oninput = event => root.setProperty("--tile", event.target.value + "px");
by("contrast").oninput = event => root.setProperty("--contrast", event.target.value + "%");
by("invert").onchange = event => root.setProperty("--invert", event.target.checked ? "100%" : "0%");
for (const link of document.querySelectorAll("[data-of]")) {
  link.style.backgroundImage = "url(" + document.querySelector("#" + link.dataset.of + " img").src + ")";
  link.textContent = "";
}
let shown = null;
const enlarge = figure => {
  if (!figure) return;
  const picture = figure.querySelector("img");
  shown = figure;
  by("zoom-picture").src = picture.src;
  by("zoom-picture").alt = picture.alt;
  by("zoom-name").textContent = picture.alt;
  if (!by("zoom").open) by("zoom").showModal();
};
const step = way => {
  const all = [...document.querySelectorAll(".grid figure")];
  enlarge(all[all.indexOf(shown) + way]);
};
for (const grid of grids) grid.onclick = event => { if (event.target.closest(".pic")) enlarge(event.target.closest("figure")); };
by("previous").onclick = () => step(-1);
by("next").onclick = () => step(1);
by("zoom").onclick = event => { if (event.target === by("zoom")) by("zoom").close(); };
by("zoom").onkeydown = event => { if (event.key === "ArrowRight") step(1); if (event.key === "ArrowLeft") step(-1); };
by("zoom").onclose = () => shown.querySelector(".pic").focus();
for (const button of document.querySelectorAll(".copy")) button.onclick = async () => {
  const code = button.parentElement.querySelector("code");
  getSelection().selectAllChildren(code);  // where the browser copies nothing from a file, Ctrl+C does
  let done = true;
  try { await navigator.clipboard.writeText(code.textContent); } catch { done = document.execCommand("copy"); }
  by("said").textContent = done ? "Copied: " + code.textContent : "Marked: press Ctrl+C to copy.";
};
