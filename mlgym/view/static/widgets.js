// Owns the small parts that several views share: marks, chips, choices, dialogs, notices.

import {el, fill} from "./dom.js";
import {visible, words} from "./text.js";

const STATES = ["scored", "unscored", "infrastructure_failure", "running", "cut_off", "broken"];

// All states in their order, and any other that occurs.
export function statesOf(rows) {
  const found = new Set(rows.map((row) => row.status));
  return [...STATES.filter((state) => found.has(state)), ...[...found].filter((state) => !STATES.includes(state))];
}

// A state as a shape and a word: none is told by its colour alone.
export function stateMark(state, withWord = true) {
  const known = STATES.includes(state) ? state : "other";
  return el("span", { class: "state", title: withWord ? null : words(state) },
    el("i", { class: `mark mark-${known}`, "aria-hidden": "true" }),
    withWord ? shortState(state) : el("span", { class: "unseen" }, words(state)));
}

function shortState(state) {
  return state === "infrastructure_failure" ? "infrastructure" : words(state);
}

// A model's name with its colour.
export function modelName(name, colour) {
  return el("span", { class: "model" },
    el("i", { class: `swatch ${colour ?? ""}`, "aria-hidden": "true" }), el("bdi", { title: visible(name) }, visible(name)));
}

export function chip(text, kind = "", title = null) {
  return el("span", { class: `chip ${kind}`, title }, text);
}

export function button(label, listener, props = {}) {
  return el("button", { type: "button", ...props, on: { click: listener } }, label);
}

// A labelled choice of one value; "" is all.
export function choice(label, values, chosen, onChange) {
  const select = el("select", { "aria-label": label, on: { change: () => onChange(select.value) } });
  const offer = (found, now) => {
    fill(select, el("option", { value: "" }, `${label}: all`),
      found.map(([value, count]) => el("option", { value }, `${visible(value)}  (${count})`)));
    if (now && !found.some(([value]) => value === now)) {
      select.append(el("option", { value: now }, visible(now)));
    }
    select.value = now;
    select.classList.toggle("chosen", Boolean(now));
  };
  offer(values, chosen);
  return { element: select, offer };
}

// What is said where there is nothing to show.
export function notice(title, text, ...more) {
  return el("div", { class: "notice", role: "status" }, el("h2", {}, title), text && el("p", {}, text), more);
}

export function loading(text) {
  return el("div", { class: "notice loading", role: "status" }, el("i", { class: "spinner" }), el("p", {}, text));
}

// A dialog above the page, until it is closed. Returns it.
export function dialog(title, ...content) {
  const box = el("dialog", { "aria-label": title });
  const close = button("Close", () => box.close(), { class: "quiet" });
  fill(box, el("header", {}, el("h2", {}, title), close), el("div", { class: "dialog-body", tabindex: "0" }, content));
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}
