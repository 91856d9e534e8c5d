// One class large, its power spectrum beside it, and why it would be rejected.
import { leaving } from "./dialog.js";
import { $, element } from "./panel.js";
import * as words from "./words.js";

export class Zoom {
  constructor(page) {
    this.page = page;
    this.index = -1;
    this.cache = new Map();
    this.close = leaving($("zoom"), () => page.grid.focus(this.index));
    $("zoom-close").addEventListener("click", this.close);
    $("zoom-next").addEventListener("click", () => this.step(1));
    $("zoom-previous").addEventListener("click", () => this.step(-1));
    $("zoom-keep").addEventListener("click", () => page.decisions.set([this.index], true));
    $("zoom-reject").addEventListener("click", () => page.decisions.set([this.index], false));
    $("zoom").addEventListener("click", (event) => { if (event.target === $("zoom")) this.close(); });
    $("zoom-particles").hidden = !page.gallery.hasParticles;
    $("zoom-load").addEventListener("click", () => this.#particles(this.index));
    const buttons = page.gallery.reasons.map((reason, k) => {
      const button = element("button", `${k + 1}  ${reason}`);
      button.addEventListener("click", () => this.reason(k));
      return button;
    });
    $("zoom-reasons").replaceChildren(element("span", "Reject because"), ...buttons);
    this.reasonButtons = buttons;
  }

  isOpen() { return $("zoom").open; }
  toggle(i) { if (this.isOpen()) this.close(); else if (i >= 0) this.open(i); }

  async open(i) {
    this.index = i;
    if (!this.isOpen()) $("zoom").showModal();
    $("zoom-next").focus();
    this.refresh();
    this.#forget();
    await this.#draw(i);
    for (const step of [1, -1]) this.#fetch(this.page.grid.shown[this.page.grid.position[i] + step]);
  }

  step(step) {
    const { grid } = this.page;
    grid.focused = this.index;
    const next = grid.neighbour(step);
    grid.focus(next);
    if (next !== this.index) this.open(next);
  }

  reason(k) { if (k < this.page.gallery.reasons.length) this.page.decisions.setReason(this.index, k); }

  refresh() {
    const i = this.index, { gallery, decisions, grid } = this.page;
    if (i < 0) return;
    const kept = Boolean(decisions.kept[i]);
    $("zoom-title").textContent = `Class ${gallery.source[i] ?? gallery.number[i]}`;
    $("zoom-state").textContent = kept ? "✓ Kept" : "✕ Rejected";
    $("zoom-state").classList.toggle("kept", kept);
    $("zoom-keep").setAttribute("aria-pressed", kept);
    $("zoom-reject").setAttribute("aria-pressed", !kept);
    this.reasonButtons.forEach((button, k) => button.setAttribute("aria-pressed", decisions.reason[i] === k));
    const facts = [
      ["Score", words.score(gallery.score[i]) + (gallery.unsure[i] ? " (unsure)" : "") + words.own(gallery, i)],
      ["Particles", words.count(gallery.particles[i])],
      ["Resolution", words.resolution(gallery.resolution[i])],
      ...(gallery.ess[i] === null ? [] : [["ESS", gallery.ess[i].toFixed(2)]]),
      ["Group", gallery.view[i] > 0 ? String(gallery.view[i]) : "–"],
      ["Why", (words.why(gallery, decisions, i) || "–").replace(/^below the cut$/, `below the cut ${decisions.threshold.toFixed(2)}`)],
      ["Before", gallery.label[i] === null ? "no label" : gallery.label[i] >= 0.5 ? "kept" : "rejected"],
      ["Place", `${grid.position[i] + 1} of ${grid.shown.length}`],
    ];
    $("zoom-facts").replaceChildren(...facts.map(([name, value]) => {
      const pair = document.createElement("div");
      pair.append(element("dt", name), element("dd", value));
      return pair;
    }));
  }

  async #fetch(i) {
    if (i === undefined) return null;
    if (!this.cache.has(i)) {
      if (this.cache.size > 60) this.cache.clear();
      this.cache.set(i, fetch(`/review/average/${i}?key=${this.page.gallery.key}`).then((answer) => {
        if (!answer.ok) throw new Error(answer.statusText);
        return answer.arrayBuffer();
      }));
    }
    return this.cache.get(i);
  }

  async #draw(i) {
    const bytes = new Uint8Array(await this.#fetch(i)), { box, number } = this.page.gallery, pixels = box * box;
    if (this.index !== i) return;
    this.bytes = bytes;
    this.repaint();
    this.page.painter.paint($("zoom-spectrum"), bytes.subarray(pixels), box, true);
    $("zoom-average").setAttribute("aria-label", `Average of class ${number[i]}`);
    this.#rings(i);
  }

  #forget() {
    this.particles = null;
    $("zoom-strip").replaceChildren();
    $("zoom-particles-told").textContent = "";
  }

  async #particles(i) {
    $("zoom-particles-told").textContent = "Reading…";
    const answer = await fetch(`/review/particles/${i}?key=${this.page.gallery.key}`);
    if (this.index !== i) return;
    if (!answer.ok) { $("zoom-particles-told").textContent = (await answer.json()).detail; return; }
    const side = Number(answer.headers.get("x-side")), bytes = new Uint8Array(await answer.arrayBuffer());
    this.particles = { side, bytes };
    const k = bytes.length / side ** 2;
    $("zoom-particles-told").textContent = `${k} of ${words.count(this.page.gallery.particles[i])}, as picked`;
    $("zoom-strip").replaceChildren(...Array.from({ length: k }, (_, n) => {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Particle ${n + 1} of ${k}`);
      return canvas;
    }));
    this.#paintParticles();
  }

  #paintParticles() {
    if (!this.particles) return;
    const { side, bytes } = this.particles;
    [...$("zoom-strip").children].forEach((canvas, n) => this.page.painter.paint(canvas, bytes.subarray(n * side ** 2, (n + 1) * side ** 2), side));
  }

  repaint() {
    this.#paintParticles();
    if (!this.bytes) return;
    const { box } = this.page.gallery;
    this.page.painter.paint($("zoom-average"), this.bytes.subarray(0, box * box), box);
  }

  // The ring of the class's resolution: at radius 1 lies Nyquist, 2 pixels.
  #rings(i) {
    const { pixelSize, resolution, box } = this.page.gallery, svg = $("zoom-rings");
    svg.replaceChildren();
    $("zoom-average-caption").textContent = pixelSize ? `Class average, ${(box * pixelSize).toFixed(0)} Å across` : `Class average, ${box} pixels across`;
    $("zoom-spectrum-caption").textContent = pixelSize ? `Power spectrum, edge at ${(2 * pixelSize).toFixed(1)} Å` : "Power spectrum, edge at 2 pixels";
    if (!pixelSize || resolution[i] === null) return;
    const radius = (2 * pixelSize) / resolution[i];
    if (radius > 1.3) return;
    const svgElement = (name, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      return made;
    };
    const text = svgElement("text", { x: 0, y: Math.max(-0.92, -radius - 0.03), "text-anchor": "middle" });
    text.textContent = `${resolution[i].toFixed(1)} Å`;
    svg.append(svgElement("circle", { cx: 0, cy: 0, r: radius }), text);
  }
}
