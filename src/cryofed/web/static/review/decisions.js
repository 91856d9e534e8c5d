// Which classes are kept, and every step back. Knows nothing of the page.
const STEPS = 500;

export class Decisions {
  // hand: 1 kept, -1 rejected, 0 left to the threshold. reason: index of a fault, -1 for none.
  // learning: whether the scores are those that the decisions by hand taught, or the model's own.
  constructor(gallery) {
    this.gallery = gallery;
    this.n = gallery.number.length;
    this.threshold = gallery.threshold;
    this.learning = true;
    this.hand = new Int8Array(this.n);
    this.reason = new Int8Array(this.n).fill(-1);
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
    return pinned[i] || score[i] === null ? start[i] : score[i] >= this.threshold;
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
        if (kept) this.reason[i] = -1;
      }
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
      this.wanted.set(i, kept);
      if (!this.gallery.teachable) this.#grant();
    });
  }

  setThreshold(value, step) { this.change(() => { this.threshold = value; }, step); }
  setLearning(on) { this.change(() => { this.learning = on; }); }
  setReason(i, reason) {
    this.change(() => {
      this.reason[i] = this.reason[i] === reason ? -1 : reason;
      if (this.reason[i] >= 0) this.hand[i] = -1;
    });
  }
  forgetHand() { this.change(() => { this.hand.fill(0); this.reason.fill(-1); this.wanted.clear(); }); }

  // The scores are others now; true where a click that took a decision back had to become one.
  rescored() {
    const before = this.hand.slice();
    this.#grant();
    this.#decide();
    return this.hand.some((v, i) => v !== before[i]);
  }

  undo() { this.#travel(this.past, this.future); }
  redo() { this.#travel(this.future, this.past); }

  totals() {
    const { particles, view, score, viewFloor } = this.gallery;
    const views = new Set(), real = new Set();  // a view of junk only is no loss
    let classes = 0, kept = 0, total = 0, hand = 0, unknown = false;
    for (let i = 0; i < this.n; i++) {
      if (particles[i] === null) unknown = true;
      total += particles[i] ?? 0;
      if (this.hand[i]) hand++;
      if (view[i] > 0 && (this.kept[i] || score[i] >= viewFloor)) real.add(view[i]);
      if (!this.kept[i]) continue;
      classes++;
      kept += particles[i] ?? 0;
      if (view[i] > 0) views.add(view[i]);
    }
    return { classes, all: this.n, particles: unknown ? null : kept, share: total ? kept / total : 0,
      views: views.size, allViews: real.size, hand };
  }

  asDraft() {
    return { threshold: this.threshold, learning: this.learning, hand: [...this.hand], reason: [...this.reason], saved: this.saved };
  }
  takeDraft(draft) {
    this.threshold = draft.threshold;
    this.learning = draft.learning;
    this.hand.set(draft.hand);
    this.reason.set(draft.reason);
    this.saved = draft.saved;
    this.wanted.clear();
    this.#decide();
  }

  // Another page changed `base` into `theirs`: every step back and forth gets that too, so that undo here
  // undoes only what was done here.
  rebase(base, theirs) {
    for (const step of [...this.past, ...this.future]) {
      if (theirs.threshold !== base.threshold) step.threshold = theirs.threshold;
      if (theirs.learning !== base.learning) step.learning = theirs.learning;
      for (let i = 0; i < this.n; i++) {
        if (theirs.hand[i] === base.hand[i] && theirs.reason[i] === base.reason[i]) continue;
        step.hand[i] = theirs.hand[i];
        step.reason[i] = theirs.reason[i];
      }
    }
  }

  #snapshot() { return { threshold: this.threshold, learning: this.learning, hand: this.hand.slice(), reason: this.reason.slice() }; }
  #same(other) {
    return this.threshold === other.threshold && this.learning === other.learning
      && this.hand.every((v, i) => v === other.hand[i]) && this.reason.every((v, i) => v === other.reason[i]);
  }
  #travel(from, to) {
    const target = from.pop();
    if (!target) return;
    to.push(this.#snapshot());
    this.threshold = target.threshold;
    this.learning = target.learning;
    this.hand.set(target.hand);
    this.reason.set(target.reason);
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
