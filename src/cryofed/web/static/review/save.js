// Saving: says what will be written, asks about labels every time, shows what was written.
import { $, element } from "./panel.js";
import * as words from "./words.js";

const MEANING = "A label says: a person looked at this class and decided. Labels stay in this site's library and teach the next model, "
  + "here and, if this site has joined a federation, as part of its updates. The pictures themselves never leave. Library: ";

export class Saving {
  constructor(page) {
    this.page = page;
    $("save").disabled = false;
    $("save").addEventListener("click", () => this.open());
    $("save-cancel").addEventListener("click", () => $("save-dialog").close());
    $("saved-close").addEventListener("click", () => $("save-dialog").close());
    $("save-form").addEventListener("submit", (event) => { event.preventDefault(); this.#save(); });
    $("save-dialog").addEventListener("close", () => page.grid.focus(page.grid.focused));
  }

  open() {
    const { decisions, gallery } = this.page, totals = decisions.totals();
    $("save-form").hidden = false;
    $("saved").hidden = true;
    $("save-trouble").hidden = true;
    $("save-summary").textContent = `${words.spoken(totals)}.`;
    $("save-files").textContent = gallery.saving.files || "No job files are written: this changes labels in the library.";
    const library = gallery.saving.library;
    $("save-labels-meaning").textContent = library ? MEANING + library : "No library was opened: start the review with --library site.db to keep labels.";
    const first = gallery.saving.files ? "none" : "hand";  // without files to write, labels are all there is
    for (const radio of $("save-form").labels) {
      radio.disabled = radio.value === "none" ? !gallery.saving.files : !library;
      radio.checked = radio.value === first;  // the opt-in is asked for each time
    }
    $("labels-hand").textContent = `Also keep as labels the ${words.count(totals.hand)} I set by hand`;
    $("labels-all").textContent = `Also keep all ${words.count(totals.all)} as labels: I have looked at every one`;
    $("save-dialog").showModal();
    $("save-go").focus();
  }

  async #save() {
    const { decisions, gallery, keeper } = this.page;
    $("save-trouble").hidden = true;
    $("save-go").disabled = true;
    $("save-go").textContent = "Saving…";
    try {
      await keeper.settled();
      const draft = keeper.draft();
      const request = { key: gallery.key, kept: Array.from(decisions.kept, Boolean), draft, labels: $("save-form").labels.value };
      const answer = await fetch("/review/save", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(request) });
      const told = await answer.json();
      if (told.draft) {
        keeper.take(told.draft);
        $("save-summary").textContent = `${words.spoken(decisions.totals())}.`;
        throw new Error("Nothing was saved: another page changed this selection. It is up to date now; look at it, then save.");
      }
      if (!answer.ok) throw new Error(typeof told.detail === "string" ? told.detail : "the page and the command differ; reload");
      keeper.markSaved(draft, told.revision);
      this.page.markSaved();
      $("saved-lines").replaceChildren(...told.written.map((line) => element("li", line)));
      $("save-form").hidden = true;
      $("saved").hidden = false;
      $("saved-close").focus();
    } catch (error) {
      $("save-trouble").textContent = error instanceof TypeError ? "The command in the terminal has stopped. Start it again; your work is kept." : error.message;
      $("save-trouble").hidden = false;
    } finally {
      $("save-go").disabled = false;
      $("save-go").textContent = "Save";
    }
  }
}
