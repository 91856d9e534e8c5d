// Groups of classes that look alike: which say something, and their chips below the gallery.
import { $ } from "./panel.js";

// Two classes or more that may be good, or one that surely is; the same rule as in the command (selection/views.py).
export function countedViews({ view, score, views }) {
  const likely = new Map(), found = new Set();
  view.forEach((v, i) => {
    if (v === 0 || score[i] === null) return;
    if (score[i] >= views.likely) likely.set(v, (likely.get(v) ?? 0) + 1);
    if (score[i] >= views.firm || likely.get(v) >= 2) found.add(v);
  });
  return found;
}

export class Groups {
  constructor(gallery, decisions) {
    Object.assign(this, { gallery, decisions });
    this.counted = null;
  }

  refresh() {
    const { gallery, decisions } = this;
    if (this.counted !== gallery.score) { this.counted = gallery.score; this.#make(); }
    let lost = 0;
    for (const { button, indices, view } of this.groups) {
      const kept = indices.filter((i) => decisions.kept[i]).length;
      if (!kept) lost++;
      button.textContent = `Group ${view}: ${kept ? `${kept} of ${indices.length} kept` : `none of ${indices.length} kept`}`;
      button.dataset.lost = kept === 0;
    }
    $("views-summary").textContent = `Groups that look alike: ${this.groups.length}${lost ? `, ${lost} without a kept class` : ""}`;
  }

  #make() {
    const { view, score } = this.gallery, counted = countedViews(this.gallery), members = new Map();
    view.forEach((v, i) => { if (counted.has(v)) members.set(v, [...(members.get(v) ?? []), i]); });
    this.groups = [...members].sort((a, b) => b[1].length - a[1].length || a[0] - b[0]).map(([number, indices]) => {
      const button = document.createElement("button");
      button.dataset.first = indices.reduce((a, b) => ((score[b] ?? 0) > (score[a] ?? 0) ? b : a));
      return { button, indices, view: number };
    });
    $("views").replaceChildren(...this.groups.map(({ button }) => {
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
    $("views-section").hidden = !this.groups.length;
  }
}
