// Each card of the board from the facts.
import { $, card, duration, fixed, make, megabytes, table } from "./make.js";
import { METRICS } from "./chart.js";

const STATES = { promoted: "Promoted", kept: "Kept the release before", running: "Running", stopped: "Stopped" };
const MOST_CELLS = 60;
const h2 = (text) => make("h2", {}, text);
const sum = (values) => values.reduce((a, b) => a + b, 0);

export function siteNames(facts) {
  const { rounds, live } = facts.campaign ?? { rounds: [], live: null };
  const names = new Set(facts.plan?.sites ?? []);
  for (const round of rounds) for (const name of round.asked) names.add(name);
  for (const name of Object.keys(live?.sites ?? {})) names.add(name);
  return [...names].sort();
}

export function verdict(facts) {
  const told = facts.campaign?.verdict, { plan } = facts;
  $("verdict").hidden = Boolean(facts.campaign) && !told;
  if ($("verdict").hidden) return;
  if (!told) {
    card("verdict", make("h2", { class: "headline" }, "Not run yet"),
      plan ? make("p", {}, `The plan: ${plan.rounds} rounds of ${plan.strategy} over ${plan.engine}, ${plan.sites.length ? `sites ${plan.sites.join(", ")}` : "no sites yet"}.`) : null,
      make("p", {}, "Start it with ", make("code", {}, "cryofed federation run PLAN.toml"), "; this page follows by itself."));
    return;
  }
  const promoted = facts.campaign.gate.promoted;
  const list = (name, lines) => (lines.length ? [make("h3", {}, name), make("ul", {}, ...lines.map((line) => make("li", {}, line)))] : []);
  card("verdict", make("h2", { class: `headline ${promoted ? "up" : "down"}` }, told.headline), ...list("Why", told.reasons), ...list(promoted ? "Note" : "What to try", told.remedies));
}

export function tiles(facts) {
  const { campaign, plan } = facts, rounds = campaign?.rounds ?? [];
  const asked = sum(rounds.map((r) => r.asked.length)), came = sum(rounds.map((r) => Object.keys(r.accepted).length));
  const aucs = rounds.map((r) => r.auc).filter((a) => a !== null);
  const spent = Object.values(facts.privacy).map((p) => p.epsilon).filter((e) => e !== null);
  const told = [
    ["Round", `${rounds.length}${plan ? ` of ${plan.rounds}` : ""}`, campaign ? STATES[campaign.state] : "No campaign yet"],
    ["Held-out AUC", aucs.length ? fixed(aucs.at(-1), 3) : "–", aucs.length > 1 ? `${signed(aucs.at(-1) - aucs[0])} since round 1` : "mean over sites"],
    ["Updates", `${came} of ${asked}`, !asked ? "none asked yet" : came === asked ? "every site answered" : `${asked - came} refused or lost`],
    ["Received", megabytes(sum(rounds.flatMap((r) => Object.values(r.accepted).map((a) => a.bytes)))), plan ? `${plan.codec}${plan.mask === "none" ? "" : ", masked"}` : "by the aggregator"],
    ["Time", duration(sum(rounds.map((r) => r.seconds))), rounds.length ? `${duration(sum(rounds.map((r) => r.seconds)) / rounds.length)} a round` : ""],
    ["Privacy", spent.length ? `ε ${Math.max(...spent).toFixed(2)}` : plan?.private ? "private" : plan ? "no noise" : "–", plan?.private ? (plan.maxEpsilon ? `of ${plan.maxEpsilon} allowed` : "no limit in the plan") : "training is not private"],
  ];
  if (!plan && !spent.length) told.at(-1)[2] = "no plan beside the folder";
  $("tiles").replaceChildren(...told.map(([name, value, note]) => make("div", {}, h2(name), make("strong", {}, value), make("small", {}, note || " "))));
}

export function now(facts) {
  const live = facts.campaign?.live;
  $("now").hidden = !live || facts.campaign.state !== "running";
  if ($("now").hidden) return;
  const kind = (text) => (text === "accepted" ? "good" : text === "asked" ? "wait" : "bad");
  card("now", h2(`Round ${live.round} is open, for ${duration(Math.max(0, Date.now() / 1000 - live.began))}`),
    make("div", { class: "steps" }, ...Object.entries(live.sites).sort().map(([site, text]) => make("span", { class: `badge ${kind(text)}` }, `${site}: ${text === "asked" ? "training" : text}`))));
}

export function presence(facts) {
  const rounds = (facts.campaign?.rounds ?? []).slice(-MOST_CELLS), names = siteNames(facts);
  const cell = (round, site) => {
    if (site in round.accepted) return ["", "", "update accepted"];
    if (site in round.refused) return ["refused", "✕", `refused: ${round.refused[site]}`];
    if (site in round.lost) return ["lost", "–", `lost: ${round.lost[site]}`];
    return ["not", "", "not asked"];
  };
  const lines = names.map((site) => {
    const cells = rounds.map((round) => [round, ...cell(round, site)]);
    const came = cells.filter(([, kind]) => kind === "").length, asked = cells.filter(([, kind]) => kind !== "not").length;
    return make("div", { class: "line" }, make("span", { class: "name", title: site }, site),
      make("div", { class: "cells", role: "img", "aria-label": `${site}: ${came} of ${asked} rounds` }, ...cells.map(([round, kind, sign, why]) => make("i", { class: kind, title: `Round ${round.round}: ${why}` }, sign))),
      make("span", { class: "told" }, `${came} of ${asked}`));
  });
  const reasons = new Map();
  for (const round of facts.campaign?.rounds ?? []) for (const [site, why] of [...Object.entries(round.refused), ...Object.entries(round.lost)]) {
    reasons.set(why, (reasons.get(why) ?? new Set()).add(`${site} in round ${round.round}`));
  }
  card("presence", h2("Who took part"), make("div", { class: "presence" }, ...lines),
    make("p", { class: "key" }, make("span", {}, "filled: accepted"), make("span", {}, "✕ refused"), make("span", {}, "– lost"), make("span", {}, "grey: not asked")),
    reasons.size ? table(["Why", "Times", "Last"], [...reasons].map(([why, all]) => [why, String(all.size), [...all].at(-1)])) : null);
}

export function gate(facts) {
  const told = facts.campaign?.gate;
  if (!told) { card("gate", h2("Gate"), make("p", { class: "muted" }, "The gate decides when the rounds are done: no site may lose, and the pooled result must not fall.")); return; }
  const better = (site) => (told.metric === "brier" ? site.current - site.candidate : site.candidate - site.current);
  const rows = Object.entries(told.sites).sort().map(([name, site]) => [name, fixed(site.current, 3), fixed(site.candidate, 3), make("td", { class: better(site) >= 0 ? "up" : "down" }, signed(site.candidate - site.current)), String(site.held_out)]);
  card("gate", make("div", { class: "head" }, h2("Gate"), make("span", { class: `badge ${told.promoted ? "good" : "bad"}` }, told.promoted ? "✓ Promoted" : "✕ Not promoted")),
    told.pooled_candidate === null ? null : make("p", {}, `Pooled ${METRICS[told.metric]?.short ?? told.metric} ${fixed(told.pooled_current)} → ${fixed(told.pooled_candidate)}.`),
    table(["Site", "Release", "Candidate", "Change", "Averages"], rows));
}

export function releases(facts) {
  const items = [...facts.releases].reverse().map((r) => make("li", { class: r.current ? "current" : "" }, make("div", {},
    make("b", {}, `Release ${r.number}`), r.current ? make("span", {}, " ", make("span", { class: "badge good" }, "in use")) : "",
    make("small", {}, r.campaign ? `campaign ${r.campaign}, ${r.rounds} rounds of ${r.strategy}${r.gate ? `, pooled ${METRICS[r.gate.metric]?.short ?? r.gate.metric} ${fixed(r.gate.pooled_candidate, 3)}` : ""}` : r.origin ?? "first model"),
    make("small", {}, r.hash.slice(0, 16), r.parent ? `, from ${r.parent.slice(0, 8)}` : ""))));
  card("releases", h2("Releases"), items.length ? make("ul", { class: "lineage" }, ...items) : make("p", { class: "muted" }, "None yet: the first run begins with release 1."));
}

export function matrix(facts) {
  const told = facts.campaign?.cross_site;
  $("matrix").hidden = !told;
  if (!told) return;
  const values = Object.values(told.auc).flat(), low = Math.min(...values), span = Math.max(1e-9, Math.max(...values) - low);
  const cell = (value) => {
    const made = make("td", {}, fixed(value, 3));
    made.style.background = `hsl(165 ${20 + 35 * ((value - low) / span)}% ${88 - 34 * ((value - low) / span)}%)`;
    return made;
  };
  card("matrix", h2("Every model at every site (AUC)"), table(["measured by", ...told.models.map((m) => (m === "common" ? "common model" : `of ${m}`))], Object.entries(told.auc).sort().map(([site, row]) => [site, ...row.map(cell)]), "matrix"),
    make("p", { class: "key" }, make("span", {}, `darker: higher, from ${fixed(low, 3)} to ${fixed(low + span, 3)}`)));
}

export function contribution(facts) {
  const told = Object.entries(facts.campaign?.contributions ?? {});
  $("contribution").hidden = !told.length;
  if (!told.length) return;
  const top = Math.max(...told.map(([, c]) => Math.abs(c.share)), 1e-9);
  const items = told.map(([site, c]) => {
    const fill = make("i");
    fill.style.width = `${(100 * Math.max(0, c.share)) / top}%`;
    return make("li", {}, make("span", {}, site), make("div", { class: "meter" }, fill), make("b", {}, `${c.share.toFixed(2)}${c.error === null ? "" : ` ± ${c.error.toFixed(2)}`}`));
  });
  card("contribution", h2("Contribution to the model"), make("ul", { class: "shares" }, ...items), make("p", { class: "key" }, make("span", {}, "bar: the site's share, the largest one full; ± its standard error")));
}

export function privacy(facts) {
  const rows = Object.entries(facts.privacy), { plan } = facts;
  const children = [h2("Privacy budget")];
  const worst = [...rows].sort((a, b) => (b[1].epsilon ?? Infinity) - (a[1].epsilon ?? Infinity))[0];
  if (rows.length) children.push(table(["Site", "ε spent", ...(plan?.maxEpsilon ? ["of"] : [])], rows.map(([site, p]) => [make("td", { title: p.text }, site), fixed(p.epsilon, 2), ...(plan?.maxEpsilon ? [String(plan.maxEpsilon)] : [])])), make("p", { class: "muted" }, `${worst[0]}: ${worst[1].text}`));
  else if (plan?.private) children.push(make("p", {}, `Private training with noise multiplier ${plan.noise}, at most ε ${plan.maxEpsilon || "without limit"}. Each site keeps its own ledger; none lies on this machine.`));
  else children.push(make("p", { class: "muted" }, plan ? "The plan trains without noise: no privacy budget is spent, and none is promised." : "No plan lies beside the federation's folder, and no ledger in it."));
  card("privacy", ...children);
}

export function rounds(facts) {
  const rows = [...(facts.campaign?.rounds ?? [])].reverse().slice(0, 100).map((r) => [String(r.round) + (r.attempt > 1 ? ` (try ${r.attempt})` : ""), `${Object.keys(r.accepted).length} of ${r.asked.length}`, fixed(r.auc), megabytes(sum(Object.values(r.accepted).map((a) => a.bytes))), duration(r.seconds), r.model_after.slice(0, 10)]);
  card("rounds", h2("Rounds"), rows.length ? table(["Round", "Updates", "Mean AUC", "Received", "Time", "Model"], rows) : make("p", { class: "muted" }, "No round has closed yet."));
}

export function sites(facts) {
  const told = Object.entries(facts.campaign?.statistics ?? {});
  $("sites").hidden = !told.length;
  if (told.length) card("sites", h2("What the sites have"), table(["Site", "Averages", "Good", "Jobs", "Projects"], told.map(([site, s]) => [site, ...["examples", "good", "jobs", "projects"].map((name) => (name in s ? String(s[name]) : "–"))])));
}

const signed = (value) => `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(3)}`;
