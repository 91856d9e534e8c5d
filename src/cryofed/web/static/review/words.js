// Numbers and states in words, the same on the tile, in the panel and for a screen reader.
import { gradeName } from "./grades.js";

const thousands = new Intl.NumberFormat("en-US");

export const count = (n) => (n === null ? "unknown" : thousands.format(n));
export const short = (n) => {
  if (n === null) return "– particles";
  if (n < 10000) return thousands.format(n);
  return n < 1e6 ? `${(n / 1e3).toFixed(n < 1e5 ? 1 : 0)}k` : `${(n / 1e6).toFixed(2)}M`;
};
export const score = (s) => (s === null ? "–" : s.toFixed(2));
export const resolution = (r) => (r === null ? "– Å" : `${r.toFixed(1)} Å`);
export const percent = (part) => `${(part * 100).toFixed(1)} %`;

export function tileName(gallery, decisions, i) {
  const facts = [
    `Class ${gallery.source[i] ?? gallery.number[i]}`,
    decisions.kept[i] ? "kept" : "rejected",
    gallery.score[i] === null ? "not scored" : `score ${score(gallery.score[i])}`,
    gallery.particles[i] === null ? "" : `${count(gallery.particles[i])} particles`,
    gallery.resolution[i] === null ? "" : `${gallery.resolution[i].toFixed(1)} ångström`,
    why(gallery, decisions, i),
    decisions.hand[i] ? "set by hand" : "",
    decisions.grade[i] ? `grade ${gradeName(decisions.scale, decisions.grade[i])}` : "",
    gallery.unsure[i] ? "model unsure" : "",
    was(gallery, decisions, i),
    changed(gallery, i) && `${changed(gallery, i)}, learnt`,
    gallery.proposed === i ? "to decide next" : "",
  ];
  return facts.filter(Boolean).join(", ");
}

// Why a class looks as it does: the person's own reason first, then the policy's, then the model's.
export function why(gallery, decisions, i) {
  if (decisions.reason[i] >= 0) return gallery.reasons[decisions.reason[i]];
  if (!decisions.hand[i] && gallery.pinned[i]) return gallery.pinned[i];
  if (decisions.kept[i]) return "";
  return (!decisions.hand[i] && decisions.outside(i)) || gallery.reason[i]
    || (!decisions.hand[i] && gallery.score[i] !== null ? "below the cut" : "");
}

export function was(gallery, decisions, i) {
  const label = gallery.label[i];
  if (label === null || (label >= 0.5) === Boolean(decisions.kept[i])) return "";
  return label >= 0.5 ? "kept before" : "rejected before";
}

// The model's own score, where what was learnt says another.
export const own = (gallery, i) => (gallery.model && score(gallery.model.score[i]) !== score(gallery.score[i]) ? `, the model alone ${score(gallery.model.score[i])}` : "");

export const classes = (n) => (n === 1 ? "class" : `${count(n)} classes`);

// From how many decisions the scores were learnt, and what that changed.
export function learnt(told, learning, changed) {
  const good = told?.good ?? 0, bad = told?.bad ?? 0;
  if (!good || !bad) {
    const missing = !good && !bad ? "one good and one bad class" : good ? "one bad class" : "one good class";
    return `Decide ${missing} by hand${good || bad ? " too" : ""}, and all others are ranked anew.`;
  }
  const from = `${good + bad} of your decisions: ${good} good, ${bad} bad`;
  if (!learning) return `The model as it came. Not learnt from ${from}.`;
  return `Learnt from ${from}. ${changed ? `${changed === 1 ? "1 class" : `${count(changed)} classes`} changed side.` : "No class changed side."}`;
}

export function changed(gallery, i) {
  return gallery.changed?.[i] ? (gallery.changed[i] > 0 ? "now kept" : "now rejected") : "";
}

export function spoken(totals) {
  const parts = [`${totals.classes} of ${totals.all} classes kept`];
  if (totals.particles !== null) parts.push(`${count(totals.particles)} particles, ${percent(totals.share)}`);
  const lost = totals.allViews - totals.views;  // that nothing is lost is no praise of what is kept
  if (lost) parts.push(`groups that look alike without a kept class: ${lost} of ${totals.allViews}`);
  return parts.join(", ");
}
