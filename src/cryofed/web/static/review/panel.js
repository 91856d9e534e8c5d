// The panel: live numbers, threshold with its histogram, order, filter, views.
import { Groups } from "./groups.js";
import { Limits } from "./limits.js";
import { FILTERS, ORDERS } from "./order.js";
import * as words from "./words.js";

const BINS = 50;
export const $ = (id) => document.getElementById(id);

export class Panel {
  constructor(gallery, decisions) {
    Object.assign(this, { gallery, decisions });
    $("title").textContent = gallery.title;
    $("detail").textContent = gallery.detail;
    document.title = `${gallery.title} · CryoFed review`;
    $("all-classes").textContent = words.count(decisions.n);
    for (const [key, { name }] of Object.entries(ORDERS)) $("sort").add(new Option(name, key));
    $("warnings").replaceChildren(...gallery.warnings.map((text) => element("li", text)));
    $("warnings").hidden = !gallery.warnings.length;
    $("auto-cut").textContent = `Back to the automatic ${gallery.threshold.toFixed(2)}`;
    this.bars = Array.from({ length: BINS }, () => document.createElement("i"));
    $("histogram").replaceChildren(...this.bars);
    this.groups = new Groups(gallery, decisions);
    this.limits = new Limits(gallery, decisions);
    this.#policies();
    this.spokenTimer = 0;
  }

  refresh() {
    const { decisions } = this;
    const totals = decisions.totals();
    $("kept-classes").textContent = words.count(totals.classes);
    $("kept-particles").textContent = words.count(totals.particles);
    $("kept-share").textContent = totals.particles === null ? "unknown" : words.percent(totals.share);
    $("lost-row").hidden = totals.views === totals.allViews;
    $("lost-views").textContent = `${totals.allViews - totals.views} of ${totals.allViews}`;
    $("by-hand").textContent = words.count(totals.hand);
    $("particle-meter").style.width = `${100 * (totals.particles === null ? totals.classes / totals.all : totals.share)}%`;
    $("threshold").value = decisions.threshold;
    $("threshold").setAttribute("aria-valuetext", `${decisions.threshold.toFixed(2)}: ${words.spoken(totals)}`);
    $("threshold-value").textContent = decisions.threshold.toFixed(2);
    this.#bars();
    this.bars.forEach((bar, k) => bar.classList.toggle("kept", (k + 0.5) / BINS >= decisions.threshold));
    $("undo").disabled = !decisions.past.length;
    $("redo").disabled = !decisions.future.length;
    $("reset").disabled = !totals.hand;
    $("auto-cut").hidden = decisions.threshold === this.gallery.threshold;
    for (const button of $("policies").children) button.setAttribute("aria-pressed", decisions.threshold === Number(button.dataset.cut));
    this.groups.refresh();
    this.limits.refresh();
    clearTimeout(this.spokenTimer);  // a screen reader hears the last of a quick series
    this.spokenTimer = setTimeout(() => { $("spoken").textContent = words.spoken(totals); }, 400);
    return totals;
  }

  // The scores have changed, and the bars with them.
  #bars() {
    if (this.counted === this.gallery.score) return;
    this.counted = this.gallery.score;
    const heights = new Array(BINS).fill(0);
    for (const s of this.gallery.score) if (s !== null) heights[Math.min(BINS - 1, Math.floor(s * BINS))]++;
    const top = Math.max(1, ...heights);
    heights.forEach((h, k) => { this.bars[k].style.height = h ? `${Math.max(4, 100 * Math.sqrt(h / top))}%` : "0"; });
  }

  // The cut of every policy that has a name, one click each.
  #policies() {
    $("policies").replaceChildren(...Object.entries(this.gallery.cuts).map(([name, cut]) => {
      const button = element("button", `${name[0].toUpperCase()}${name.slice(1)} ${cut.toFixed(2)}`);
      button.dataset.cut = cut;
      button.addEventListener("click", () => this.decisions.setThreshold(cut));
      return button;
    }));
    $("policies").hidden = !$("policies").children.length;
  }

  makeFilter(choose) {
    for (const [key, { name, apart }] of Object.entries(FILTERS)) {
      if (apart) continue;
      const button = element("button", name);
      button.dataset.filter = key;
      button.addEventListener("click", () => choose(key));
      $("filter").append(button);
    }
  }

  showView({ sort, reverse, filter, contrast, size, invert }) {
    $("sort").value = sort;
    $("reverse").setAttribute("aria-pressed", reverse);
    for (const button of $("filter").children) button.setAttribute("aria-pressed", button.dataset.filter === filter);
    $("contrast").value = contrast;
    $("contrast-value").textContent = contrast;
    $("size").value = size;
    $("invert").checked = invert;
  }
}

export function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
