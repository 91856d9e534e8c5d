// One line per site over the rounds, as SVG.
import { fixed, make } from "./make.js";

export const METRICS = {
  auc: { name: "Held-out AUC", short: "AUC", of: (told) => told.metrics.auc },
  brier: { name: "Held-out Brier score", short: "Brier score", of: (told) => told.metrics.brier },
  loss: { name: "Training loss", of: (told) => told.metrics.loss },
  norm: { name: "Length of the update", of: (told) => told.norm },
  bytes: { name: "Megabytes sent", of: (told) => told.bytes / 1e6 },
  examples: { name: "Labelled averages", of: (told) => told.examples },
};
const HEIGHT = 270, LEFT = 52, BOTTOM = 26, TOP = 10;

// The first metric that any site has told: sites that train privately tell no AUC.
export function told(rounds) {
  const has = (metric) => rounds.some((round) => Object.values(round.accepted).some((one) => METRICS[metric].of(one) !== undefined));
  return Object.keys(METRICS).find(has) ?? "auc";
}

// `width` is that of its place, so that letters and lines keep their size on every screen.
export function lines(rounds, metric, sites, width) {
  const series = sites.map((site, k) => ({ site, k, points: [] }));
  for (const round of rounds) for (const one of series) {
    const told = round.accepted[one.site], value = told && METRICS[metric].of(told);
    if (value !== undefined && value !== null) one.points.push([round.round, value]);
  }
  const shown = series.filter((one) => one.points.length);
  if (!shown.length) return make("p", { class: "muted" }, "No site has told this yet: it comes with the first round, where the sites have enough held-out averages.");
  const all = shown.flatMap((one) => one.points), xs = all.map((p) => p[0]), ys = all.map((p) => p[1]);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  const room = (y1 - y0) * 0.08 || Math.abs(y1) * 0.05 || 1;
  [y0, y1] = [y0 - room, y1 + room];
  if (metric === "auc") y1 = Math.min(1, Math.max(y1, y0 + 0.02));
  const px = (x) => LEFT + ((x - x0) / Math.max(1, x1 - x0)) * (width - LEFT - 12);
  const py = (y) => TOP + ((y1 - y) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const svg = make("svg:svg", { viewBox: `0 0 ${width} ${HEIGHT}`, class: "chart", role: "img",
    "aria-label": `${METRICS[metric].name} per round: ${shown.map((one) => `${one.site} ${fixed(one.points.at(-1)[1], 3)}`).join(", ")}` });
  for (let k = 0; k <= 4; k++) {
    const value = y0 + ((y1 - y0) * k) / 4, y = py(value);
    svg.append(make("svg:line", { class: "grid", x1: LEFT, x2: width - 12, y1: y, y2: y }),
      make("svg:text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)));
  }
  const step = Math.max(1, Math.ceil((x1 - x0) / Math.min(10, width / 40)));
  for (let x = x0; x <= x1; x += step) svg.append(make("svg:text", { x: px(x), y: HEIGHT - 6, "text-anchor": "middle" }, String(x)));
  for (const { k, points } of shown) {
    svg.append(make("svg:path", { class: `c${k % 8}`, d: points.map(([x, y], i) => `${i ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("") }));
    const [x, y] = points.at(-1);
    svg.append(make("svg:circle", { class: `c${k % 8}`, cx: px(x), cy: py(y), r: 3.5, fill: "currentColor" }));
  }
  const legend = make("ul", { class: "legend" }, ...shown.map(({ site, k, points }) => make("li", { class: `c${k % 8}` }, make("i"), make("span", {}, `${site} ${fixed(points.at(-1)[1], 3)}`))));
  return make("div", {}, make("div", { class: "scroll", tabindex: "0" }, svg), legend);
}
