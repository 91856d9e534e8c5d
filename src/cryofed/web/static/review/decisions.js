// Which classes are kept, and every step back. Knows nothing of the page.
import { countedViews } from "./groups.js";

const STEPS = 500;
export const ONES = ["threshold", "learning", "fewest", "coarsest", "ess", "scale"];  // what a draft holds once
export const MANY = ["hand", "reason", "grade"];  // and for every class

export class Decisions {
  // hand: 1 kept, -1 rejected, 0 left to the threshold. reason: index of a fault, -1 for none.
  // learning: whether the scores are those that the decisions by hand taught, or the model's own.
  // fewest, coarsest, ess: limits on particles, resolution in Å and effective sample size, null for none.
  // grade: of the scale in use (grades.js), 0 for none.
  constructor(gallery) {
    this.gallery = gallery;
    this.n = gallery.number.length;
    this.threshold = gallery.threshold;
    this.learning = true;
    this.fewest = this.coarsest = this.ess = null;
    this.scale = "none";
    this.hand = new Int8Array(this.n);
    this.reason = new Int8Array(this.n).fill(-1);
    this.grade = new Int8Array(this.n);
    this.kept = new Uint8Array(this.n);
    this.wanted = new Map();  // decisions taken back by a click: the side that the click asked for
    this.past = [];
    this.future = [];
    this.changes = 0;
    this.saved = true;  // nothing is unsaved yet
    this.listeners = [];
    this.#decide();
  }

  onChange(listener) { this.listeners.push(listener); }

  // What the threshold and the policy say of a class that nobody has touched.
  automatic(i) {
    const { score, start, pinned } = this.gallery;
    return (pinned[i] || score[i] === null ? start[i] : score[i] >= this.threshold) && !this.outside(i);
  }

  // The limit that a class lies outside of, in words; what is unknown lies outside of none.
  outside(i) {
    const { particles, resolution, ess } = this.gallery;
    if (this.fewest !== null && particles[i] !== null && particles[i] < this.fewest) return `fewer than ${this.fewest} particles`;
    if (this.coarsest !== null && resolution[i] !== null && resolution[i] > this.coarsest) return `coarser than ${this.coarsest} Å`;
    if (this.ess !== null && ess[i] !== null && ess[i] > this.ess) return `ESS over ${this.ess}`;
    return "";
  }

  // Every change is one call with the indices it concerns; `step` false joins the step before (a drag).
  change(edit, step = true) {
    const before = this.#snapshot();
    edit();
    if (this.#same(before)) return;
    if (step) {
      this.past.push(before);
      if (this.past.length > STEPS) this.past.shift();
    }
    this.future.length = 0;
    this.#settle();
  }

  set(indices, kept) {
    this.change(() => {
      for (const i of indices) {
        this.wanted.delete(i);
        this.hand[i] = kept ? 1 : -1;
        this.grade[i] = 0;
        if (kept) this.reason[i] = -1;
      }
    });
  }

  invert() {
    this.change(() => {
      this.wanted.clear();
      for (let i = 0; i < this.n; i++) this.hand[i] = this.kept[i] ? -1 : 1;
      this.reason.fill(-1);
      this.grade.fill(0);
    });
  }

  // What was decided before of these classes is decided again: by hand, for a person had decided it.
  takeOver(label) {
    this.change(() => label.forEach((value, i) => {
      if (value === null) return;
      this.hand[i] = value >= 0.5 ? 1 : -1;
      this.reason[i] = -1;
      this.grade[i] = 0;
      this.wanted.delete(i);
    }));
  }

  setLimit(name, value) { this.change(() => { this[name] = value; }); }
  setScale(scale) { this.change(() => { this.scale = scale; this.grade.fill(0); }); }
  setGrade(i, grade, good) {
    this.change(() => {
      this.wanted.delete(i);
      this.grade[i] = grade;
      this.hand[i] = grade ? (good ? 1 : -1) : 0;
      if (good) this.reason[i] = -1;
    });
  }

  // A click decides; a click on what was decided by hand takes the decision back. That is no decision of the
  // other kind, and no label, unless the class would not be what the click asked for: `rescored` sees to that.
  toggle(i) {
    const kept = !this.kept[i];
    if (!this.hand[i]) { this.set([i], kept); return; }
    this.change(() => {
      this.hand[i] = 0;
      this.reason[i] = -1;
      this.grade[i] = 0;
      this.wanted.set(i, kept);
      if (!this.gallery.teachable) this.#grant();
    });
  }

  setThreshold(value, step) { this.change(() => { this.threshold = value; }, step); }
  setLearning(on) { this.change(() => { this.learning = on; }); }
  setReason(i, reason) {
    this.change(() => {
      this.reason[i] = this.reason[i] === reason ? -1 : reason;
      if (this.reason[i] >= 0) { this.hand[i] = -1; this.grade[i] = 0; }
    });
  }
  forgetHand() { this.change(() => { this.hand.fill(0); this.reason.fill(-1); this.grade.fill(0); this.wanted.clear(); }); }

  // The scores are others now; true where a click that took a decision back had to become one.
  rescored() {
    const before = this.hand.slice();
    this.#grant();
    this.#decide();
    return this.hand.some((v, i) => v !== before[i]);
  }

  // As if nothing had been done since `mark` was the last step: the two clicks of a double click.
  get mark() { return this.past.at(-1); }
  backTo(mark) {
    if (mark && !this.past.includes(mark)) return;
    while (this.past.length && this.mark !== mark) this.undo();
    this.future.length = 0;
  }

  undo() { this.#travel(this.past, this.future); }
  redo() { this.#travel(this.future, this.past); }

  totals() {
    const { particles, view } = this.gallery, views = new Set(), counted = countedViews(this.gallery);
    let classes = 0, kept = 0, total = 0, hand = 0, unknown = false;
    for (let i = 0; i < this.n; i++) {
      if (particles[i] === null) unknown = true;
      total += particles[i] ?? 0;
      if (this.hand[i]) hand++;
      if (!this.kept[i]) continue;
      classes++;
      kept += particles[i] ?? 0;
      if (counted.has(view[i])) views.add(view[i]);
    }
    return { classes, all: this.n, particles: unknown ? null : kept, share: total ? kept / total : 0,
      views: views.size, allViews: counted.size, hand };
  }

  // A threshold of null is the automatic cut, whatever the scores will be when the draft is opened again.
  asDraft() {
    const draft = { saved: this.saved };
    for (const name of ONES) draft[name] = this[name];
    for (const name of MANY) draft[name] = [...this[name]];
    if (this.threshold === this.gallery.threshold) draft.threshold = null;
    return draft;
  }
  takeDraft(draft) {
    this.#put({ ...draft, threshold: draft.threshold ?? this.gallery.threshold });
    this.saved = draft.saved;
    this.wanted.clear();
    this.#decide();
  }

  // Another page changed `base` into `theirs`: every step back and forth gets that too, so that undo here
  // undoes only what was done here.
  rebase(base, theirs) {
    for (const step of [...this.past, ...this.future]) {
      for (const name of ONES) if (theirs[name] !== base[name]) step[name] = theirs[name] ?? (name === "threshold" ? this.gallery.threshold : null);
      for (let i = 0; i < this.n; i++) {
        if (MANY.every((name) => theirs[name][i] === base[name][i])) continue;
        for (const name of MANY) step[name][i] = theirs[name][i];
      }
    }
  }

  #snapshot() { return Object.fromEntries([...ONES.map((name) => [name, this[name]]), ...MANY.map((name) => [name, this[name].slice()])]); }
  #same(other) { return ONES.every((name) => this[name] === other[name]) && MANY.every((name) => this[name].every((v, i) => v === other[name][i])); }
  #put(state) {
    for (const name of ONES) this[name] = state[name];
    for (const name of MANY) this[name].set(state[name]);
  }
  #travel(from, to) {
    const target = from.pop();
    if (!target) return;
    to.push(this.#snapshot());
    this.#put(target);
    this.wanted.clear();
    this.#settle();
  }
  #grant() {
    for (const [i, kept] of this.wanted) if (Boolean(this.automatic(i)) !== kept) this.hand[i] = kept ? 1 : -1;
    this.wanted.clear();
  }
  #decide() {
    for (let i = 0; i < this.n; i++) this.kept[i] = this.hand[i] ? this.hand[i] > 0 : this.wanted.get(i) ?? this.automatic(i);
  }
  #settle() {
    this.#decide();
    this.changes++;
    this.saved = false;
    for (const listener of this.listeners) listener();
  }
}
