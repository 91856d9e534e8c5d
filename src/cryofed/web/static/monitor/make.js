// Elements from names, never from text with markup: site names are what others wrote.
export const $ = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const made = name.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== false) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function table(head, rows, kind = "") {
  return make("div", { class: "scroll", tabindex: "0" }, make("table", { class: kind },
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => (cell instanceof HTMLTableCellElement ? cell : make("td", {}, cell))))))));
}

export const card = (id, ...children) => { $(id).replaceChildren(...children.filter((child) => child !== null)); $(id).hidden = false; };
export const fixed = (value, digits = 4) => (value === null || value === undefined ? "–" : value.toFixed(digits));
export const megabytes = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);
export function duration(seconds) {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
