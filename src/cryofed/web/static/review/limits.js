// Limits on particles, resolution and effective sample size, with what they take away, live.
import { $ } from "./panel.js";
import * as words from "./words.js";

const FIELDS = ["fewest", "coarsest", "ess"];
const OF = { fewest: "particles", coarsest: "resolution", ess: "ess" };

export class Limits {
  constructor(gallery, decisions) {
    Object.assign(this, { gallery, decisions });
    for (const name of FIELDS) {
      const input = $(name);
      input.closest("label").hidden = gallery[OF[name]].every((value) => value === null);
      input.addEventListener("input", () => {
        const value = input.value === "" ? null : Number(input.value);
        if (value === null || (Number.isFinite(value) && value >= 0)) decisions.setLimit(name, value);
      });
    }
    $("limits").hidden = FIELDS.every((name) => $(name).closest("label").hidden);
  }

  refresh() {
    const { gallery, decisions } = this;
    let classes = 0, particles = 0;
    for (let i = 0; i < decisions.n; i++) {
      if (decisions.hand[i] || !decisions.outside(i)) continue;
      classes++;
      particles += gallery.particles[i] ?? 0;
    }
    for (const name of FIELDS) if (document.activeElement !== $(name)) $(name).value = decisions[name] ?? "";
    const any = FIELDS.some((name) => decisions[name] !== null);
    $("limits-told").textContent = any ? `Outside of the limits: ${classes === 1 ? "1 class" : `${words.count(classes)} classes`}${particles ? `, ${words.count(particles)} particles` : ""}` : "";
    if (any && !this.any) $("limits").open = true;
    this.any = any;
  }
}
