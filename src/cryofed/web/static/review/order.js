// The orders in which classes can be looked at, and which of them are shown. Pure.
export const BY_SCORE = ["score", "uncertainty", "disagreement", "similarity"];  // these change with what is learnt
const last = (value) => (value === null ? -Infinity : value);

export const ORDERS = {
  score: { name: "Score", of: (g) => (i) => last(g.score[i]) },
  uncertainty: { name: "Uncertainty of the model", of: (g) => (i) => (g.score[i] === null ? -1 : 1 - Math.abs(2 * g.score[i] - 1) + (g.unsure[i] ? 1 : 0)) },
  disagreement: { name: "Disagreement, model and person", of: (g, d) => (i) => disagreement(g, d, i) },
  resolution: { name: "Resolution", of: (g) => (i) => (g.resolution[i] === null ? -Infinity : -g.resolution[i]) },
  particles: { name: "Particles", of: (g) => (i) => last(g.particles[i]) },
  grade: { name: "Grade", of: (g, d) => (i) => (d.grade[i] ? -d.grade[i] : -99) },
  similarity: { name: "Similarity", of: (g) => similarity(g) },
  number: { name: "Class number", of: (g) => (i) => -g.number[i] },
};

// How far the model's score is from what a person said: now, or in an earlier selection.
export function disagreement(g, d, i) {
  const person = d.hand[i] ? (d.hand[i] > 0 ? 1 : 0) : g.label[i];
  return person === null || g.score[i] === null ? -1 : Math.abs(person - g.score[i]);
}

// Views by their particles, the classes of a view together, the best first.
function similarity(g) {
  const weight = new Map();
  g.view.forEach((v, i) => weight.set(v, (weight.get(v) ?? 0) + (g.particles[i] ?? 1)));
  const views = [...weight.keys()].sort((a, b) => (a === 0) - (b === 0) || weight.get(b) - weight.get(a) || a - b);
  const rank = new Map(views.map((v, k) => [v, k]));
  return (i) => -10 * rank.get(g.view[i]) + (g.score[i] ?? -1);
}

export function ordered(gallery, decisions, name, reverse) {
  const key = ORDERS[name].of(gallery, decisions);
  const keys = gallery.number.map((_, i) => key(i));
  const order = gallery.number.map((_, i) => i).sort((a, b) => keys[b] - keys[a] || a - b);
  return reverse ? order.reverse() : order;
}

export const FILTERS = {
  all: { name: "All", shows: () => true },
  kept: { name: "Kept", shows: (g, d, i) => Boolean(d.kept[i]) },
  rejected: { name: "Rejected", shows: (g, d, i) => !d.kept[i] },
  unsure: { name: "Unsure", shows: (g, d, i) => g.unsure[i] },
  hand: { name: "By hand", shows: (g, d, i) => d.hand[i] !== 0 },
  changed: { name: "Changed", shows: (g, d, i) => g.changed[i] !== 0, apart: true },  // its button stands elsewhere
};
