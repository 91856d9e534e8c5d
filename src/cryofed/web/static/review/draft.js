// Unsaved work: at once in this browser, a moment later beside the page on disk. The newer one wins.
const key = (gallery) => `cryofed.draft.${gallery.key}`;

export function restore(gallery, decisions) {
  const fits = (draft) => draft && draft.hand?.length === decisions.n && draft.reason?.length === decisions.n;
  let here = null;
  try { here = JSON.parse(localStorage.getItem(key(gallery))); } catch { /* private window or damaged: none */ }
  const drafts = [here, gallery.draft].filter(fits).sort((a, b) => b.revision - a.revision);
  if (drafts.length) decisions.takeDraft(drafts[0]);
}

export class Keeper {
  constructor(gallery, decisions) {
    this.gallery = gallery;
    this.decisions = decisions;
    this.timer = 0;
    window.addEventListener("pagehide", () => { if (this.timer) this.#send(); });
  }

  remember() {
    try { localStorage.setItem(key(this.gallery), JSON.stringify(this.decisions.asDraft())); } catch { /* the disk has it */ }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#send(), 250);
  }

  markSaved() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.decisions.saved = true;
    try { localStorage.setItem(key(this.gallery), JSON.stringify(this.decisions.asDraft())); } catch { /* the disk has it */ }
  }

  #send() {
    clearTimeout(this.timer);
    this.timer = 0;
    const body = JSON.stringify(this.decisions.asDraft());
    fetch("/review/draft", { method: "PUT", headers: { "content-type": "application/json" }, body, keepalive: body.length < 60000 })
      .catch(() => { /* the page was closed, or the command stopped: the browser still has it */ });
  }
}
