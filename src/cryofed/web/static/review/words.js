// Numbers and states in words, the same on the tile, in the panel and for a screen reader.
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
    gallery.unsure[i] ? "model unsure" : "",
    was(gallery, decisions, i),
  ];
  return facts.filter(Boolean).join(", ");
}

// Why a class looks as it does: the person's own reason first, then the policy's, then the model's.
export function why(gallery, decisions, i) {
  if (decisions.reason[i] >= 0) return gallery.reasons[decisions.reason[i]];
  if (!decisions.hand[i] && gallery.pinned[i]) return gallery.pinned[i];
  return decisions.kept[i] ? "" : gallery.reason[i];
}

export function was(gallery, decisions, i) {
  const label = gallery.label[i];
  if (label === null || (label >= 0.5) === Boolean(decisions.kept[i])) return "";
  return label >= 0.5 ? "kept before" : "rejected before";
}

export function spoken(totals) {
  const parts = [`${totals.classes} of ${totals.all} classes kept`];
  if (totals.particles !== null) parts.push(`${count(totals.particles)} particles, ${percent(totals.share)}`);
  if (totals.allViews) parts.push(`${totals.views} of ${totals.allViews} views`);
  return parts.join(", ");
}
