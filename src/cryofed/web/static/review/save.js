// Saving: says what will be written, asks about labels every time, shows what was written.
import { leaving } from "./dialog.js";
import { $, element } from "./panel.js";
import * as words from "./words.js";

const MEANING = "A label says: a person looked at this class and decided. Labels stay in this site's library and teach the next model, "
  + "here and, if this site has joined a federation, as part of its updates. The pictures themselves never leave. Library: ";

export class Saving {
  constructor(page) {
    this.page = page;
    $("save").disabled = false;
    $("save").addEventListener("click", () => this.open());
    const leave = leaving($("save-dialog"), () => page.grid.focus(page.grid.focused));
    for (const id of ["save-cancel", "saved-close"]) $(id).addEventListener("click", leave);
    $("save-form").addEventListener("submit", (event) => { event.preventDefault(); this.#save(); });
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
    const graded = decisions.grade.reduce((sum, v) => sum + (v > 0), 0);
    $("labels-hand").textContent = `Also keep as labels the ${words.count(totals.hand)} I set by hand${graded ? `, ${words.count(graded)} of them with their grade` : ""}`;
    $("labels-all").textContent = `Also keep all ${words.count(totals.all)} as labels: I have looked at every one`;
    this.asked = "";
    this.#ask("");
    $("save-dialog").showModal();
    $("save-go").focus();
  }

  // Why a person should look again before this is saved; "" where nothing is unusual.
  #doubt() {
    const { gallery, decisions } = this.page, totals = decisions.totals();
    if (!gallery.saving.files) return "";
    if (!totals.classes) return "No class is kept: what is saved holds no particle.";
    const lost = 1 - (totals.particles === null ? totals.classes / totals.all : totals.share);
    const what = totals.particles === null ? "classes" : "particles";
    return lost > gallery.maxLoss ? `${words.percent(lost)} of the ${what} would go, more than the ${words.percent(gallery.maxLoss)} that --max-loss allows.` : "";
  }

  #ask(doubt) {
    $("save-doubt").textContent = doubt && `${doubt} Save it all the same?`;
    $("save-doubt").hidden = !doubt;
    $("save-go").textContent = doubt ? "Save all the same" : "Save";
  }

  async #save() {
    const { decisions, gallery, keeper } = this.page;
    const doubt = this.#doubt();
    if (doubt && this.asked !== doubt) {
      this.asked = doubt;
      this.#ask(doubt);
      $("save-cancel").focus();  // a second Enter, meant for the first question, saves nothing
      return;
    }
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
      $("save-go").textContent = this.asked ? "Save all the same" : "Save";
    }
  }
}
