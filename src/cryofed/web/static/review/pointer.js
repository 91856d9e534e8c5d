// The mouse: click toggles, shift-click sets a range, double click zooms, right click opens a menu.
import { $, element } from "./panel.js";

export function listen(page) {
  const { grid, decisions } = page;
  let before;  // the last step before a click that may be the first of two
  const at = (event) => {
    const tile = event.target.closest(".tile");
    return tile ? Number(tile.dataset.index) : -1;
  };
  grid.element.addEventListener("click", (event) => {
    const i = at(event);
    if (i < 0) return;
    if (event.shiftKey && page.anchor >= 0 && grid.position[page.anchor] >= 0) {
      decisions.set(grid.between(page.anchor, i), Boolean(decisions.kept[page.anchor]));
    } else {
      if (event.detail < 2) before = decisions.mark;
      decisions.toggle(i);
      page.anchor = i;
    }
    grid.focus(i, false);
  });
  grid.element.addEventListener("dblclick", (event) => {
    const i = at(event);
    if (i < 0 || event.shiftKey) return;
    decisions.backTo(before);  // its two clicks were no decision
    page.zoom.open(i);
  });
  grid.element.addEventListener("contextmenu", (event) => {
    const i = at(event);
    if (i < 0) return;
    event.preventDefault();
    grid.focus(i, false);
    openMenu(page, i, event.clientX, event.clientY);
  });
  document.addEventListener("pointerdown", (event) => { if (!event.target.closest("#menu")) closeMenu(); });
  document.addEventListener("scroll", closeMenu, true);
}

export function openMenu(page, i, x, y) {
  const menu = $("menu");
  const offer = [
    [page.decisions.kept[i] ? "Reject" : "Keep", "Space", () => page.decisions.toggle(i)],
    ["Zoom", "Enter", () => page.zoom.open(i)],
    ["Keep this and all above", "A", () => page.keepAbove(i)],
    ["Reject this and all below", "B", () => page.rejectBelow(i)],
    ["Similar classes", "", () => page.showSimilar(i)],
  ];
  menu.replaceChildren(...offer.map(([name, key, act]) => {
    const button = element("button", name);
    button.setAttribute("role", "menuitem");
    button.append(element("span", key));
    button.addEventListener("click", () => { closeMenu(); act(); if (!$("zoom").open) page.grid.focus(i); });
    return button;
  }));
  menu.hidden = false;
  menu.style.left = `${Math.min(x, innerWidth - menu.offsetWidth - 8)}px`;
  menu.style.top = `${Math.min(y, innerHeight - menu.offsetHeight - 8)}px`;
  menu.firstChild.focus();
  menu.onkeydown = (event) => {
    const buttons = [...menu.children], k = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: k + 1, ArrowUp: k - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") { closeMenu(); page.grid.focus(i); } else if (to === undefined) return;
    else buttons.at(to % buttons.length).focus();
    event.preventDefault();
    event.stopPropagation();
  };
}

export function closeMenu() { $("menu").hidden = true; }
