// Owns the keyboard: which keys there are, what they are called, when they are not meant for us.

import {el} from "./dom.js";
import {dialog} from "./widgets.js";

const HELP = [
  ["j  k", "next, previous step or run"],
  ["g  G", "first, last"],
  ["Enter", "open the run"],
  ["x", "choose a run for comparison"],
  ["c", "compare: two chosen runs, or this one with another"],
  ["n", "comparing: the first difference"],
  ["/", "search"],
  ["f", "follow a running episode"],
  ["r  s", "all runs, the suite"],
  ["d", "dark or light"],
  ["Esc", "leave the search, clear the filter, close"],
  ["?", "this help"],
];

// Give keys to `view()` first, then to `general`, unless somebody is writing.
export function listenToKeys(view, general) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const writes = event.target.closest?.("input:not([type=checkbox]), select, textarea");
    if (writes && event.key !== "Escape") return;
    // A button or a link that has the focus takes Enter itself.
    if (event.key === "Enter" && event.target.closest?.("a, button, summary")) return;
    const act = view()?.keys[event.key] ?? general[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

export function showHelp() {
  dialog("Keys", el("dl", { class: "keys" }, HELP.map(([keys, what]) =>
    el("div", {}, el("dt", {}, keys.split("  ").map((key) => el("kbd", {}, key))), el("dd", {}, what)))));
}
