// Which classes are kept, and every step back. Knows nothing of the page.
const STEPS = 500;

export class Decisions {
  // hand: 1 kept, -1 rejected, 0 left to the threshold. reason: index of a fault, -1 for none.
  constructor(gallery) {
    this.gallery = gallery;
    this.n = gallery.number.length;
    this.threshold = gallery.threshold;
    this.hand = new Int8Array(this.n);
    this.reason = new Int8Array(this.n).fill(-1);
    this.kept = new Uint8Array(this.n);
    this.past = [];
    this.future = [];
    this.revision = 0;
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
        this.hand[i] = kept ? 1 : -1;
        if (kept) this.reason[i] = -1;
      }
    });
  }

  toggle(i) { this.set([i], !this.kept[i]); }
  setThreshold(value, step) { this.change(() => { this.threshold = value; }, step); }
  setReason(i, reason) {
    this.change(() => {
      this.reason[i] = this.reason[i] === reason ? -1 : reason;
      if (this.reason[i] >= 0) this.hand[i] = -1;
    });
  }
  forgetHand() { this.change(() => { this.hand.fill(0); this.reason.fill(-1); }); }

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
    return { revision: this.revision, threshold: this.threshold, hand: [...this.hand], reason: [...this.reason], saved: this.saved };
  }
  takeDraft(draft) {
    this.threshold = draft.threshold;
    this.hand.set(draft.hand);
    this.reason.set(draft.reason);
    this.revision = draft.revision;
    this.saved = draft.saved;
    this.#decide();
  }

  #snapshot() { return { threshold: this.threshold, hand: this.hand.slice(), reason: this.reason.slice() }; }
  #same(other) {
    return this.threshold === other.threshold && this.hand.every((v, i) => v === other.hand[i])
      && this.reason.every((v, i) => v === other.reason[i]);
  }
  #travel(from, to) {
    const target = from.pop();
    if (!target) return;
    to.push(this.#snapshot());
    this.threshold = target.threshold;
    this.hand.set(target.hand);
    this.reason.set(target.reason);
    this.#settle();
  }
  #decide() {
    for (let i = 0; i < this.n; i++) this.kept[i] = this.hand[i] ? this.hand[i] > 0 : this.automatic(i);
  }
  #settle() {
    this.#decide();
    this.revision++;
    this.saved = false;
    for (const listener of this.listeners) listener();
  }
}
