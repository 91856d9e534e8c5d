// Asks for the facts every two seconds and shows them when they changed.
import * as cards from "./cards.js";
import { lines, METRICS, told } from "./chart.js";
import { $ } from "./make.js";

const EVERY_MS = 2000;
let facts = null, tag = "", campaign = 0, chosen = "";

function show() {
  const { plan, campaigns } = facts, shown = facts.campaign;
  $("title").textContent = facts.name;
  document.title = `${facts.name} · CryoFed monitor`;
  $("detail").textContent = [plan && `${plan.strategy} on ${plan.engine}`, `${cards.siteNames(facts).length} sites`, shown?.start?.plan && `plan ${shown.start.plan.slice(0, 10)}`].filter(Boolean).join(" · ");
  $("live").textContent = { running: "live", promoted: "finished", kept: "finished", stopped: "stopped" }[shown?.state] ?? "waiting";
  $("live").dataset.state = shown?.state ?? "";
  if ($("campaign").length !== campaigns.length) {
    $("campaign").replaceChildren(...campaigns.map(({ number }) => new Option(`Campaign ${number}`, number)));
  }
  $("campaign").hidden = campaigns.length < 2;
  if (shown) $("campaign").value = shown.campaign;
  for (const part of ["verdict", "tiles", "now", "presence", "gate", "releases", "matrix", "contribution", "privacy", "rounds", "sites"]) cards[part](facts);
  draw();
  document.body.dataset.ready = "true";
}

function draw() {
  $("metric").value = chosen || told(facts.campaign?.rounds ?? []);
  $("chart").replaceChildren(lines(facts.campaign?.rounds ?? [], $("metric").value, cards.siteNames(facts), Math.max(240, $("chart").clientWidth)));
}

async function look() {
  try {
    const answer = await fetch(`/monitor/facts?campaign=${campaign}`, { headers: tag ? { "if-none-match": tag } : {}, cache: "no-store" });
    if (answer.status === 200) {
      tag = answer.headers.get("etag");
      facts = await answer.json();
      show();
    } else if (answer.status === 503) {  // a file is damaged; the answer says which
      $("live").textContent = (await answer.json()).error;
      $("live").dataset.state = "lost";
      tag = "";
    } else if (answer.status !== 304) throw new Error(answer.statusText);
    else if (facts) { cards.now(facts); $("live").dataset.state = facts.campaign?.state ?? ""; }
  } catch {
    $("live").textContent = "the command has stopped";
    $("live").dataset.state = "lost";
    tag = "";  // when it is back, everything is read again
  }
  setTimeout(look, document.hidden ? 5 * EVERY_MS : EVERY_MS);
}

for (const [key, { name }] of Object.entries(METRICS)) $("metric").add(new Option(name, key));
$("metric").addEventListener("change", () => { chosen = $("metric").value; draw(); });
$("campaign").addEventListener("change", () => { campaign = Number($("campaign").value); tag = ""; });
addEventListener("resize", () => { if (facts) draw(); });
$("theme").addEventListener("click", () => window.toggleTheme());
look();
