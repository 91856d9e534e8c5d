// Opens the gallery and joins its parts.
import { Decisions } from "./decisions.js";
import { Keeper } from "./draft.js";
import { Grades } from "./grades.js";
import { Grid } from "./grid.js";
import * as keys from "./keys.js";
import { Learning } from "./learning.js";
import { BY_SCORE, FILTERS, ORDERS, ordered } from "./order.js";
import { Painter } from "./paint.js";
import { $, Panel } from "./panel.js";
import * as pointer from "./pointer.js";
import { Saving } from "./save.js";
import * as words from "./words.js";
import { Zoom } from "./zoom.js";

const VIEW = { sort: "score", reverse: false, filter: "all", contrast: 50, size: 132, invert: false };
const REMEMBERED = "cryofed.view";

class Page {
  constructor(gallery) {
    this.gallery = gallery;
    this.anchor = -1;  // where a range begins
    this.view = { ...VIEW, ...remembered(), sort: gallery.sort, reverse: false };
    this.decisions = new Decisions(gallery);
    this.keeper = new Keeper(gallery, this.decisions, { taken: (n, seen) => this.#taken(n, seen), stopped: (yes) => this.#stopped(yes) });
    this.learning = new Learning(this);
    this.painter = new Painter(gallery.range);
    this.painter.setContrast(this.view.contrast, this.view.invert);
    this.panel = new Panel(gallery, this.decisions);
    this.grid = new Grid($("grid"), gallery, this.decisions, this.painter);
    this.zoom = new Zoom(this);
    this.grades = new Grades(this);
    this.saving = new Saving(this);
    this.decisions.onChange(() => { this.keeper.remember(); this.#changed(); });
    this.#controls();
    pointer.listen(this);
    keys.listen(this);
    this.look({}, true);
    this.grid.focus(this.grid.focused, false);
    this.#changed();
  }

  #changed() {
    this.learning.mark();
    this.#refresh();
    this.learning.ask();
  }

  #refresh() {
    this.grid.refresh();
    this.panel.refresh();
    this.learning.refresh();
    this.grades.refresh();
    if (this.zoom.isOpen()) this.zoom.refresh();
    $("unsaved").hidden = this.decisions.saved;
  }

  // What was learnt is in force; `again` where a click has become a decision because of it.
  rescored(others, again) {
    if (others && BY_SCORE.includes(this.view.sort)) this.#rank();
    if (again) { this.keeper.remember(); this.#changed(); } else this.#refresh();
  }

  // Ranks anew what is shown. The class in focus stays where it is, under the hand that has just decided it.
  #rank() {
    const { gallery, decisions, view, grid } = this, shown = new Set(grid.shown), place = grid.position[grid.focused];
    const order = ordered(gallery, decisions, view.sort, view.reverse).filter((i) => shown.has(i));
    if (place >= 0 && decisions.hand[grid.focused]) {
      order.splice(order.indexOf(grid.focused), 1);
      order.splice(place, 0, grid.focused);
    }
    if (order.some((i, k) => i !== grid.shown[k])) grid.show(order);
  }

  #taken(classes, seen) {
    if (seen) this.tell(`Brought up to date: another page changed ${classes ? words.classes(classes).replace(/^class$/, "1 class") : "how they are chosen"}.`);
    this.#changed();
  }

  #stopped(yes) { $("unsaved").textContent = yes ? "Command stopped; kept in this browser" : "Unsaved, kept safe here"; }

  // Something that happened without a click; it goes by itself.
  tell(text) {
    $("notice").textContent = text;
    $("notice").hidden = false;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => { $("notice").hidden = true; }, 12000);
  }

  #controls() {
    const { decisions } = this;
    this.panel.makeFilter((filter) => this.look({ filter }));
    let dragging = false;
    $("threshold").addEventListener("input", () => { decisions.setThreshold(Number($("threshold").value), !dragging); dragging = true; });
    $("threshold").addEventListener("change", () => { dragging = false; });
    $("sort").addEventListener("change", () => this.look({ sort: $("sort").value }));
    $("reverse").addEventListener("click", () => this.look({ reverse: !this.view.reverse }));
    $("contrast").addEventListener("input", () => this.look({ contrast: Number($("contrast").value) }));
    $("size").addEventListener("input", () => this.look({ size: Number($("size").value) }));
    $("invert").addEventListener("change", () => this.look({ invert: $("invert").checked }));
    $("keep-above").addEventListener("click", () => this.keepAbove(this.grid.focused));
    $("reject-below").addEventListener("click", () => this.rejectBelow(this.grid.focused));
    $("auto-cut").addEventListener("click", () => { decisions.setThreshold(this.gallery.threshold); $("threshold").focus(); });
    $("turn").addEventListener("click", () => decisions.invert());
    $("earlier").hidden = !this.gallery.label.some((label) => label !== null);
    $("earlier").addEventListener("click", () => decisions.takeOver(this.gallery.label));
    $("copy").addEventListener("click", () => this.#copy());
    $("find").addEventListener("input", () => this.#find());
    $("find").addEventListener("keydown", (event) => { if (event.key === "Enter" && this.#find()) this.grid.focus(this.grid.focused); });
    $("skip").addEventListener("click", (event) => { event.preventDefault(); this.grid.focus(this.grid.focused); });
    const narrow = matchMedia("(max-width: 760px)"), fold = () => { $("controls").open = !narrow.matches; };
    narrow.addEventListener("change", fold);
    fold();
    $("reset").addEventListener("click", () => decisions.forgetHand());
    $("undo").addEventListener("click", () => decisions.undo());
    $("redo").addEventListener("click", () => decisions.redo());
    $("theme").addEventListener("click", () => window.toggleTheme());
    $("help-button").addEventListener("click", () => this.help());
    $("help-close").addEventListener("click", () => $("help").close());
    $("views").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.showSimilar(Number(button.dataset.first));
    });
  }

  async #copy() {
    const { gallery, decisions, grid } = this;
    const numbers = grid.shown.filter((i) => decisions.kept[i]).map((i) => gallery.number[i]).sort((a, b) => a - b);
    try {
      await navigator.clipboard.writeText(numbers.join(","));
      this.tell(numbers.length ? `Copied the numbers of ${words.classes(numbers.length)}: ${numbers.join(",")}` : "No kept class is shown; nothing was copied.");
    } catch { this.tell(`Copy by hand: ${numbers.join(",")}`); }
  }

  // Goes to the class of this number while it is typed; false where there is none.
  #find() {
    const typed = $("find").value.trim().replace(/^#/, ""), i = this.gallery.number.findIndex((n) => String(n) === typed);
    $("find").setAttribute("aria-invalid", typed !== "" && i < 0);
    if (i < 0) return false;
    if (this.grid.position[i] < 0) this.look({ filter: "all" });
    this.grid.point(i);
    return true;
  }

  // How the gallery is looked at: order, filter, contrast, size. Changes no decision.
  look(change, first = false) {
    const view = { ...this.view, ...change };
    view.contrast = Math.min(100, Math.max(0, view.contrast));
    view.size = Math.min(260, Math.max(84, view.size));
    const repaint = view.contrast !== this.view.contrast || view.invert !== this.view.invert;
    const resort = first || ["sort", "reverse", "filter"].some((name) => name in change);
    this.view = view;
    $("grid").style.setProperty("--tile", `${view.size}px`);
    if (repaint) {
      this.painter.setContrast(view.contrast, view.invert);
      this.grid.repaint();
      this.zoom.repaint();
    }
    if (resort) this.#sort();
    this.panel.showView(view);
    this.learning.refresh();
    try { localStorage.setItem(REMEMBERED, JSON.stringify({ ...view, filter: "all" })); } catch { /* not remembered */ }
  }

  #sort() {
    const { gallery, decisions, view } = this;
    const order = ordered(gallery, decisions, view.sort, view.reverse).filter((i) => FILTERS[view.filter].shows(gallery, decisions, i));
    $("grid").dataset.filter = view.filter;
    this.grid.show(order);
    this.anchor = -1;
    $("main").scrollTop = 0;
    $("empty").hidden = order.length > 0;
  }

  moveThreshold(step) {
    const value = Math.round((this.decisions.threshold + step) * 100) / 100;
    this.decisions.setThreshold(Math.min(1, Math.max(0, value)));
  }
  keepAbove(i) { if (this.grid.position[i] >= 0) this.decisions.set(this.grid.between(this.grid.shown[0], i), true); }
  rejectBelow(i) { if (this.grid.position[i] >= 0) this.decisions.set(this.grid.between(i, this.grid.shown.at(-1)), false); }
  nextFilter() {
    const names = Object.keys(FILTERS);
    this.look({ filter: names[(names.indexOf(this.view.filter) + 1) % names.length] });
  }
  nextUnsure() {
    const { shown, position, focused } = this.grid;
    const rest = [...shown.slice(position[focused] + 1), ...shown.slice(0, position[focused] + 1)];
    const next = rest.find((i) => this.gallery.unsure[i]);
    if (next === undefined) return;
    if (this.zoom.isOpen()) this.zoom.open(next);
    this.grid.focus(next);
  }
  showSimilar(i) {
    this.look({ sort: "similarity", reverse: false, filter: "all" });
    this.grid.focus(i);
  }
  help() { $("help").showModal(); }
  markSaved() { this.#refresh(); }
}

function remembered() {
  try {
    const stored = JSON.parse(localStorage.getItem(REMEMBERED)) ?? {};
    return stored.sort in ORDERS ? stored : {};
  } catch { return {}; }
}

async function open() {
  const answer = await fetch("/review/gallery");
  if (!answer.ok) throw new Error(answer.statusText);
  const gallery = await answer.json();
  const thumbs = fetch(`/review/thumbs?key=${gallery.key}`).then((bytes) => bytes.arrayBuffer());
  const page = new Page(gallery);
  page.grid.takeThumbs(new Uint8Array(await thumbs), gallery.thumb);
  performance.mark("painted");
  document.body.dataset.ready = "true";
}

open().catch((error) => {
  $("title").textContent = "This page could not be opened";
  $("detail").textContent = `${error.message}. Stop the command in the terminal and start it again.`;
});
