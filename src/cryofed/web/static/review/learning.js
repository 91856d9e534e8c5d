// Learns while the person decides: asks the command for scores after what was set by hand, says from how many
// decisions they were learnt, marks what changed side, and proposes the class to decide next.
import { $ } from "./panel.js";
import * as words from "./words.js";

export class Learning {
  constructor(page) {
    this.page = page;
    const { gallery } = page;
    gallery.model = { score: gallery.score, unsure: gallery.unsure };  // as it came
    gallery.changed = new Int8Array(page.decisions.n);  // by what was learnt: 1 now kept, -1 now rejected
    gallery.proposed = -1;
    this.told = null;  // the latest answer
    this.asked = "";  // the decisions that it answers
    this.ticket = 0;
    this.stopped = false;
    $("learning").hidden = !gallery.teachable;
    $("learning-switch").addEventListener("click", () => page.decisions.setLearning(!page.decisions.learning));
    $("next-proposed").addEventListener("click", () => this.goToProposed());
    $("show-changed").addEventListener("click", () => page.look({ filter: page.view.filter === "changed" ? "all" : "changed" }));
  }

  get counted() { return this.told ? this.told.good + this.told.bad : 0; }
  get ready() { return Boolean(this.told?.score); }
  get on() { return this.ready && this.page.decisions.learning; }

  // Called after every change of a decision; asks only where those by hand are others than before.
  async ask() {
    const { decisions, gallery } = this.page, hand = [...decisions.hand];
    const asked = hand.join("");
    if (!gallery.teachable) return;
    if (asked === this.asked) { this.#apply(); return; }
    this.asked = asked;
    const ticket = ++this.ticket;
    try {
      const answer = await fetch("/review/learn", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ hand }) });
      if (!answer.ok) throw new Error(answer.statusText);
      const told = await answer.json();
      if (ticket !== this.ticket) return;  // more was decided since; that answer is on its way
      this.told = told;
      this.stopped = false;
    } catch {
      if (ticket !== this.ticket) return;
      this.stopped = true;  // the scores stay as they are
      this.asked = "";
    }
    this.#apply();
  }

  // Puts the scores in force that the person wants to see.
  #apply() {
    const { decisions, gallery } = this.page, before = gallery.score, proposed = gallery.proposed;
    gallery.score = this.on ? this.told.score : gallery.model.score;
    gallery.unsure = this.on ? this.told.unsure : gallery.model.unsure;
    gallery.proposed = decisions.learning ? this.told?.proposal ?? -1 : -1;
    const again = decisions.rescored();
    this.mark();
    this.page.rescored(gallery.score !== before || gallery.proposed !== proposed, again);
  }

  // Which classes lie on the other side of the threshold than the model alone would put them.
  mark() {
    const { gallery, decisions } = this.page, { threshold } = decisions;
    for (let i = 0; i < decisions.n; i++) {
      const own = gallery.model.score[i], now = gallery.score[i];
      const moved = this.on && !decisions.hand[i] && !gallery.pinned[i] && !decisions.outside(i) && own !== null && (own >= threshold) !== (now >= threshold);
      gallery.changed[i] = moved ? (now >= threshold ? 1 : -1) : 0;
    }
  }

  refresh() {
    const { gallery, decisions, view } = this.page;
    if (!gallery.teachable) return;
    const changed = gallery.changed.reduce((sum, v) => sum + (v !== 0), 0);
    $("learnt").textContent = this.stopped ? "The command in the terminal has stopped; the ranking stays as it is."
      : words.learnt(this.told, decisions.learning, changed);
    $("learning-switch").textContent = decisions.learning ? "Model as it came" : "Learn from me";
    $("learning-switch").hidden = !this.ready;
    $("show-changed").hidden = !changed && view?.filter !== "changed";
    $("show-changed").textContent = view?.filter === "changed" ? "Show all classes" : `Show the ${changed} that changed side`;
    $("next-proposed").hidden = gallery.proposed < 0;
    if (gallery.proposed >= 0) $("next-proposed-name").textContent = `Decide next: ${gallery.source[gallery.proposed] ?? `class ${gallery.number[gallery.proposed]}`}`;
  }

  goToProposed() {
    const { gallery, grid, zoom } = this.page, i = gallery.proposed;
    if (i < 0) return;
    if (grid.position[i] < 0) this.page.look({ filter: "all" });
    if (zoom.isOpen()) zoom.open(i);
    grid.focus(i);
  }
}
