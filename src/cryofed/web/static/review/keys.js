// The keyboard: everything the mouse can do. The same table is the help page.
import { ORDERS } from "./order.js";
import { $, element } from "./panel.js";
import { openMenu } from "./pointer.js";

const MOUSE = [["Keep or reject", "Click"], ["A range, as the class clicked before", "Shift+Click"], ["Zoom", "Double click"], ["Zoom and more", "Right click"]];

export function bindings(page) {
  const { grid, decisions, zoom } = page;
  const here = () => (zoom.isOpen() ? zoom.index : grid.focused);
  const go = (step) => (zoom.isOpen() ? zoom.step(step) : grid.focus(grid.neighbour(step)));
  const set = (kept) => { if (here() >= 0) { decisions.set([here()], kept); page.anchor = here(); } };
  const extend = (step) => {
    if (page.anchor < 0 || grid.position[page.anchor] < 0) page.anchor = grid.focused;
    const kept = Boolean(decisions.kept[page.anchor]);
    grid.focus(grid.neighbour(step));
    decisions.set(grid.between(page.anchor, grid.focused), kept);
  };
  const row = (step) => grid.columns() * step;
  return [
    ["Decide", [
      ["Keep", ["k"], () => set(true)],
      ["Reject", ["x"], () => set(false)],
      ["Keep or reject", ["Space"], () => { page.anchor = here(); decisions.toggle(here()); }],
      ["A range, as the class where it began", ["Shift+ArrowRight", "Shift+ArrowLeft", "Shift+ArrowDown", "Shift+ArrowUp"],
        (key) => extend({ ArrowRight: 1, ArrowLeft: -1, ArrowDown: row(1), ArrowUp: row(-1) }[key])],
      ["Keep this and all above", ["a"], () => page.keepAbove(here())],
      ["Reject this and all below", ["b"], () => page.rejectBelow(here())],
      ["Threshold down, up", ["[", "]"], (key) => page.moveThreshold(key === "[" ? -0.01 : 0.01)],
      ["Threshold back to the automatic cut", ["0"], () => decisions.setThreshold(page.gallery.threshold)],
      ["Turn all decisions over", ["Shift+I"], () => decisions.invert()],
      ["Grade of the scale in use", ["Shift+1", "…", "Shift+6"], null],
      ["Undo, redo", ["z", "Shift+Z"], (key) => (key === "z" ? decisions.undo() : decisions.redo())],
      ["Undo, redo", ["Ctrl+z", "Ctrl+Shift+Z", "Ctrl+y"], (key) => (key === "z" ? decisions.undo() : decisions.redo()), true],
    ]],
    ["Move", [
      ["Next, previous", ["ArrowRight", "ArrowLeft"], (key) => go(key === "ArrowRight" ? 1 : -1)],
      ["Next, previous", ["n", "p"], (key) => go(key === "n" ? 1 : -1)],
      ["Row down, up", ["ArrowDown", "ArrowUp"], (key) => go(row(key === "ArrowDown" ? 1 : -1))],
      ["Page down, up", ["PageDown", "PageUp"], (key) => go(row(key === "PageDown" ? grid.rows() : -grid.rows()))],
      ["First, last", ["Home", "End"], (key) => go(key === "Home" ? -1e9 : 1e9)],
      ["Find a class by its number", ["/"], () => $("find").focus()],
      ["Next class the model is unsure of", ["u"], () => page.nextUnsure()],
      ...(page.gallery.teachable ? [
        ["The class whose decision would teach most", ["t"], () => page.learning.goToProposed()],
        ["Learn from me, or the model as it came", ["l"], () => decisions.setLearning(!decisions.learning)],
      ] : []),
    ]],
    ["Look", [
      ["Zoom, with the power spectrum", ["Enter"], () => zoom.toggle(grid.focused)],
      ["Menu of this class", ["m", "ContextMenu", "Shift+F10"], () => {
        const box = grid.tiles[grid.focused].element.getBoundingClientRect();
        openMenu(page, grid.focused, box.left + 20, box.top + 20);
      }],
      [`Sort by ${Object.values(ORDERS).map((o) => o.name.split(/[ ,]/)[0].toLowerCase()).join(", ")}`, Object.keys(ORDERS).map((_, k) => String(k + 1)),
        (key) => (zoom.isOpen() ? zoom.reason(Number(key) - 1) : page.look({ sort: Object.keys(ORDERS)[key - 1] }))],
      ["Reverse the order", ["r"], () => page.look({ reverse: !page.view.reverse })],
      ["Show all, kept, rejected, unsure, by hand, changed", ["f"], () => page.nextFilter()],
      ["Contrast down, up", [",", "."], (key) => page.look({ contrast: page.view.contrast + (key === "." ? 5 : -5) })],
      ["Tiles smaller, larger", ["-", "+"], (key) => page.look({ size: page.view.size + (key === "+" ? 16 : -16) })],
      ["Protein dark or bright", ["i"], () => page.look({ invert: !page.view.invert })],
      ["Light or dark page", ["d"], () => window.toggleTheme()],
    ]],
    ["Page", [
      ["Save", ["s"], () => page.saving.open()],
      ["Save", ["Ctrl+s"], () => page.saving.open(), true],
      ["This help", ["?"], () => page.help()],
      ["In the zoom: why rejected", ["1", "…", "7"], null],
      ["Close", ["Escape"], () => zoom.close()],
    ]],
  ];
}

export function listen(page) {
  const { decisions } = page;
  const table = new Map();
  for (const [, rows] of bindings(page)) for (const [, keys, act, anywhere] of rows) if (act) for (const key of keys) table.set(key, { act, anywhere });
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]:not(#zoom)") || !$("menu").hidden) return;
    const digit = /^Digit([1-6])$/.exec(event.code);  // with Shift, event.key differs from keyboard to keyboard
    if (digit && event.shiftKey && decisions.scale !== "none" && !event.target.matches?.("input, select")) { event.preventDefault(); page.grades.give(Number(digit[1])); return; }
    const found = table.get(named(event));
    if (!found) return;
    const target = event.target;
    if (target.matches?.("input[type=number], input[type=search]") && !found.anywhere) return;  // these are typed into
    // What a control does itself comes first: lists take every key, sliders the long ones, buttons Space and Enter.
    if (target.matches?.("select") && !found.anywhere) return;
    if (target.matches?.("input") && !found.anywhere && (event.key.length > 1 || event.key === " ")) return;
    if (target.closest?.("button, a") && (event.key === " " || event.key === "Enter")) return;
    event.preventDefault();
    found.act(event.key === "Z" ? "Z" : event.key);
  });
  fillHelp(page);
}

export function named(event) {
  const key = event.key === " " ? "Space" : event.key;
  const ctrl = event.ctrlKey || event.metaKey;
  if (event.altKey) return "";
  const shift = event.shiftKey && (key.length > 1 || /[A-Z]/.test(key));
  return `${ctrl ? "Ctrl+" : ""}${shift ? "Shift+" : ""}${ctrl && !shift ? key.toLowerCase() : key}`;
}

const SHOWN = { ArrowRight: "→", ArrowLeft: "←", ArrowDown: "↓", ArrowUp: "↑", PageDown: "Page ↓", PageUp: "Page ↑", Escape: "Esc", ContextMenu: "Menu" };
const cap = (key) => key.split("+").map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ").trim() || "+";

function fillHelp(page) {
  const section = (title, rows) => {
    const made = document.createElement("section");
    made.append(element("h2", title), ...rows.map(([what, keys]) => {
      const line = document.createElement("div"), caps = document.createElement("span");
      line.className = "key";
      for (const key of keys) caps.append(element("kbd", key === "+" ? "+" : cap(key)), " ");
      line.append(element("span", what), caps);
      return line;
    }));
    return made;
  };
  $("help-keys").replaceChildren(section("Mouse", MOUSE.map(([a, b]) => [a, [b.replaceAll("+", " ")]])), ...bindings(page).map(([title, rows]) => section(title, rows)));
}
