// Unsaved work: at once in this browser, a moment later beside the page on disk. Two pages of one job may be
// open: the command counts revisions and refuses what was made from an older one; the page that is behind
// takes over what changed there, keeps what was changed here, and says so.
import { MANY, ONES } from "./decisions.js";

const key = (gallery) => `cryofed.draft.${gallery.key}`;
const JSON_HEADERS = { "content-type": "application/json" };
const PAUSE = 250;  // ms without a change before the command hears of it

// What changed from `base` to `mine`, put on top of `theirs`: class by class, mine where it changed here.
export function merged(base, mine, theirs) {
  const both = { saved: false };
  for (const name of ONES) both[name] = mine[name] === base[name] ? theirs[name] : mine[name];
  for (const name of MANY) both[name] = [...theirs[name]];
  mine.hand.forEach((_, i) => {
    if (MANY.every((name) => mine[name][i] === base[name][i])) return;
    for (const name of MANY) both[name][i] = mine[name][i];
  });
  return { ...both, saved: theirs.saved && same(both, theirs) };
}

export const same = (a, b) => ONES.every((name) => a[name] === b[name]) && MANY.every((name) => a[name].every((v, i) => v === b[name][i]));

export class Keeper {
  // taken: is called when the other page's changes were taken over, with how many classes they concern.
  // stopped: whether the command in the terminal answers no more.
  constructor(gallery, decisions, { taken, stopped }) {
    Object.assign(this, { gallery, decisions, taken, stopped });
    this.timer = 0;
    this.sending = null;  // the promise of a request that is under way
    this.base = gallery.draft ?? { ...decisions.asDraft(), revision: 0 };
    decisions.takeDraft(this.base);
    const left = this.#stored();  // what this browser kept, and the command never heard of
    if (left) decisions.takeDraft(merged(left.base, left.mine, this.base));
    if (this.#unsent()) this.#later();
    this.channel = new BroadcastChannel(key(gallery));
    this.channel.addEventListener("message", () => this.sync());
    window.addEventListener("focus", () => this.sync());
    window.addEventListener("pagehide", () => { if (this.#unsent()) this.#put(true).catch(() => { /* the browser has it */ }); });
  }

  remember() {
    this.#store();
    this.#later();
  }

  // What the save request carries, so that it saves nothing that another page changed unseen.
  draft() { return { ...this.decisions.asDraft(), revision: this.base.revision }; }

  markSaved(draft, revision) {
    this.base = { ...draft, revision, saved: true };
    if (!this.#unsent()) {
      this.decisions.saved = true;
      clearTimeout(this.timer);
      this.timer = 0;
    }
    this.#store();
    this.channel.postMessage("changed");
  }

  // Takes over what another page did; `theirs` is the command's draft.
  take(theirs) {
    const { decisions } = this, mine = decisions.asDraft();
    const both = merged(this.base, mine, theirs);
    decisions.rebase(this.base, theirs);
    this.base = theirs;
    const changed = both.hand.filter((_, i) => MANY.some((name) => both[name][i] !== mine[name][i])).length;
    const seen = !same(both, mine);
    decisions.takeDraft(both);
    this.#store();
    if (seen || both.saved !== mine.saved) this.taken(changed, seen);
    if (this.#unsent()) this.#later();
  }

  async sync() {
    if (this.sending || this.timer) return;  // it is about to be told
    try {
      const answer = await fetch("/review/draft");
      const { draft } = await answer.json();
      this.stopped(false);
      if (draft && draft.revision !== this.base.revision) this.take(draft);
    } catch {  // the command has stopped: the pages of this browser still share its store
      this.stopped(true);
      const left = this.#stored();
      if (left && !same(left.mine, this.decisions.asDraft())) this.take({ ...left.mine, revision: this.base.revision });
    }
  }

  #unsent() { return !same(this.decisions.asDraft(), this.base); }

  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#send(), PAUSE);
  }

  // The command has heard of everything, or answers no more.
  async settled() {
    if (this.timer) { clearTimeout(this.timer); this.#send(); }
    await this.sending;
  }

  #send() {
    this.timer = 0;
    if (this.sending) { this.#later(); return; }
    this.sending = this.#tell().finally(() => { this.sending = null; });
  }

  async #tell() {
    const draft = this.draft();
    try {
      const answer = await this.#put(false, draft);
      const told = await answer.json();
      this.stopped(false);
      if (answer.ok) {
        this.base = { ...draft, revision: told.revision };
        this.#store();
        if (this.#unsent()) this.#later();
      } else if (told.draft) this.take(told.draft);
    } catch { this.stopped(true); }  // this browser has it
    this.channel.postMessage("changed");
  }

  #put(leaving, draft = this.draft()) {
    const body = JSON.stringify(draft);
    return fetch("/review/draft", { method: "PUT", headers: JSON_HEADERS, body, keepalive: leaving && body.length < 60000 });
  }

  #store() {
    const stored = { base: this.base, mine: this.decisions.asDraft() };
    try { localStorage.setItem(key(this.gallery), JSON.stringify(stored)); } catch { /* private window: the disk has it */ }
  }

  #stored() {
    const fits = (draft) => draft && ONES.every((name) => name in draft) && MANY.every((name) => draft[name]?.length === this.decisions.n);
    try {
      const { base, mine } = JSON.parse(localStorage.getItem(key(this.gallery)));
      return fits(base) && fits(mine) ? { base, mine } : null;
    } catch { return null; }  // none, or damaged
  }
}
