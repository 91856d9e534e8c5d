// The gallery: one tile per class, made once, moved when sorted, painted when seen.
import { gradeName } from "./grades.js";
import * as words from "./words.js";

const TILE = `<canvas width="1" height="1" aria-hidden="true"></canvas>
<span class="flags" aria-hidden="true"><span class="grade"></span><span class="hand">hand</span><span class="next">decide next</span><span class="changed"></span><span class="unsure">unsure</span><span class="was"></span></span>
<span class="mark" aria-hidden="true"><svg class="check-mark" viewBox="0 0 16 16"><path d="m3 8.5 3.4 3.3L13 4.8"/></svg><svg class="cross" viewBox="0 0 16 16"><path d="m4 4 8 8M12 4l-8 8"/></svg></span>
<div class="level" aria-hidden="true"><i></i></div>
<div class="line" aria-hidden="true"><span class="score"></span><span class="number"></span></div>
<div class="line" aria-hidden="true"><span class="facts-line"></span></div>
<div class="reason" aria-hidden="true"></div>`;

export class Grid {
  constructor(element, gallery, decisions, painter) {
    Object.assign(this, { element, gallery, decisions, painter });
    this.thumbs = null;
    this.shown = [];  // indices in the order on the page
    this.position = new Int32Array(decisions.n).fill(-1);
    this.focused = -1;
    this.painted = new Uint8Array(decisions.n);
    this.seen = new Set();
    this.kept = new Int8Array(decisions.n).fill(-1);
    this.written = new Array(decisions.n);
    this.tiles = this.#make();
    this.watcher = new IntersectionObserver((entries) => this.#look(entries), { root: element.parentElement, rootMargin: "300px" });
    for (const tile of this.tiles) this.watcher.observe(tile.element);
    // Whatever moves the focus, a screen reader for instance, moves what the keys decide.
    element.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".tile");
      if (tile && Number(tile.dataset.index) !== this.focused) this.#rove(Number(tile.dataset.index));
    });
  }

  #make() {
    const model = document.createElement("div");
    model.className = "tile";
    model.setAttribute("role", "option");
    model.tabIndex = -1;
    model.innerHTML = TILE;
    return this.gallery.number.map((number, i) => {
      const element = model.cloneNode(true);
      element.id = `class-${number}`;
      element.dataset.index = i;
      const find = (name) => element.querySelector(name);
      find(".number").textContent = this.gallery.source[i] ?? `#${number}`;
      find(".facts-line").textContent = `${words.short(this.gallery.particles[i])} · ${words.resolution(this.gallery.resolution[i])}`;
      find(".facts-line").title = `${words.count(this.gallery.particles[i])} particles, ${words.resolution(this.gallery.resolution[i])}`;
      return { element, canvas: find("canvas"), reason: find(".reason"), was: find(".was"), score: find(".score"), level: find(".level i"), changed: find(".changed"), grade: find(".grade") };
    });
  }

  // Writes only the tiles that differ from what they show.
  refresh() {
    const { decisions, gallery } = this;
    this.tiles.forEach(({ element, reason, was, score, level, changed, grade }, i) => {
      const next = gallery.proposed === i;
      const state = `${decisions.kept[i]} ${decisions.hand[i]} ${decisions.reason[i]} ${gallery.score[i]} ${gallery.unsure[i]} ${gallery.changed[i]} ${next} ${decisions.grade[i]}${decisions.scale} ${decisions.outside(i)}`;
      if (this.written[i] === state) return;
      this.written[i] = state;
      element.setAttribute("aria-selected", decisions.kept[i] ? "true" : "false");
      element.setAttribute("aria-label", words.tileName(gallery, decisions, i));
      element.toggleAttribute("data-hand", decisions.hand[i] !== 0);
      score.textContent = words.score(gallery.score[i]);
      level.style.width = `${(gallery.score[i] ?? 0) * 100}%`;
      element.toggleAttribute("data-unsure", gallery.unsure[i]);
      element.toggleAttribute("data-next", next);
      grade.textContent = gradeName(decisions.scale, decisions.grade[i]);
      grade.dataset.grade = decisions.scale === "relion-colour" ? decisions.grade[i] : "";
      element.toggleAttribute("data-grade", decisions.grade[i] > 0);
      changed.textContent = words.changed(gallery, i);
      element.toggleAttribute("data-changed", gallery.changed[i] !== 0);
      const before = words.was(gallery, decisions, i);
      element.toggleAttribute("data-was", before !== "");
      was.textContent = before;
      reason.textContent = words.why(gallery, decisions, i);
    });
  }

  // Puts the tiles in this order; those left out leave the page.
  show(order) {
    const had = this.element.contains(document.activeElement);  // a tile that is moved loses the focus
    this.shown = order;
    this.position.fill(-1);
    const sheet = document.createDocumentFragment();
    order.forEach((i, k) => {
      const { element } = this.tiles[i];
      this.position[i] = k;
      element.setAttribute("aria-posinset", k + 1);
      element.setAttribute("aria-setsize", order.length);
      sheet.append(element);
    });
    this.element.replaceChildren(sheet);
    if (this.position[this.focused] < 0) this.focused = -1;
    if (this.focused < 0 && order.length) this.#rove(order[0]);
    if (had && this.focused >= 0) this.focus(this.focused);
  }

  focus(i, scroll = true) {
    if (this.position[i] < 0) return;
    this.#rove(i);
    this.tiles[i].element.focus({ preventScroll: true });
    if (scroll) this.tiles[i].element.scrollIntoView({ block: "nearest" });
  }

  // Shows a class without taking the focus from where the person types.
  point(i) {
    this.#rove(i);
    this.tiles[i].element.scrollIntoView({ block: "center" });
    this.element.querySelector(".found")?.classList.remove("found");
    this.tiles[i].element.classList.add("found");
  }

  #rove(i) {
    if (this.focused >= 0) this.tiles[this.focused].element.tabIndex = -1;
    this.focused = i;
    this.tiles[i].element.tabIndex = 0;
  }

  neighbour(step) {
    const k = Math.min(this.shown.length - 1, Math.max(0, this.position[this.focused] + step));
    return this.shown[k];
  }

  columns() { return getComputedStyle(this.element).gridTemplateColumns.split(" ").length; }
  rows() {
    const first = this.tiles[this.shown[0]]?.element;
    return first ? Math.max(1, Math.floor(this.element.parentElement.clientHeight / (first.offsetHeight + 10))) : 1;
  }

  // Indices from one tile to another in the order on the page, both included.
  between(a, b) {
    const [from, to] = [this.position[a], this.position[b]].sort((x, y) => x - y);
    return this.shown.slice(from, to + 1);
  }

  takeThumbs(bytes, side) {
    this.thumbs = bytes;
    this.side = side;
    this.repaint();
  }

  repaint() {
    this.painted.fill(0);
    for (const i of this.seen) this.#paint(i);
  }

  #look(entries) {
    for (const entry of entries) {
      const i = Number(entry.target.dataset.index);
      if (entry.isIntersecting) { this.seen.add(i); this.#paint(i); } else this.seen.delete(i);
    }
  }

  #paint(i) {
    if (!this.thumbs || this.painted[i]) return;
    this.painted[i] = 1;
    const pixels = this.side * this.side;
    this.painter.paint(this.tiles[i].canvas, this.thumbs.subarray(i * pixels, (i + 1) * pixels), this.side);
  }
}
