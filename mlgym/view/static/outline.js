// Owns the outline of a run: a line a step, with its branches, to find one's way in thousands.

import {draw, el, fill} from "./dom.js";
import {many, numeric, reward, visible, whole} from "./text.js";
import {through} from "./branches.js";
import {virtualList} from "./virtual.js";
import {button, chip} from "./widgets.js";

const LINE = 26;
const STEP_X = 9;
const KINDS = [
  ["All", () => true],
  ["Failed", (step) => typeof step.exit_code === "number" && step.exit_code !== 0],
  ["Measured", (step) => Boolean(step.metrics)],
  ["Edits", (step) => ["edit", "insert", "create", "str_replace"].includes(step.tool)],
];

// The outline of `store` in `host`. `onPick(index)` is told which step is wanted.
export function outline(host, { store, graph, onPick }) {
  let kind = 0;
  let shown = [];
  let current = 0;
  const search = el("input", { type: "search", placeholder: "Find steps", "aria-label": "Find steps by tool, action or thought", autocomplete: "off", spellcheck: "false" });
  const kinds = el("div", { class: "kinds", role: "group", "aria-label": "Kinds of steps" });
  const scroller = el("div", { class: "scroller", role: "listbox", "aria-label": "Steps" });
  const count = el("div", { class: "faint outline-count", role: "status" });
  fill(host, el("div", { class: "outline-tools" }, search, kinds, count), scroller);

  const line = (place) => {
    const index = shown[place];
    const step = store.short[index];
    const failed = typeof step.exit_code === "number" && step.exit_code !== 0;
    const gain = numeric(step.reward);
    const item = el("div", {
      class: `outline-line ${index === current ? "current" : ""} ${failed ? "failed" : ""} ${graph().kept[index] ? "" : "left"}`,
      role: "option", "aria-selected": String(index === current), title: step.action ? visible(step.action) : null,
      on: { click: () => onPick(index) },
    }, lanes(graph(), index, shown.length === store.count()), el("span", { class: "number" }, whole(step.step)),
    chip(step.tool === "reset" ? "task" : visible(step.tool ?? "?"), "tool"),
    el("span", { class: "what" }, visible(told(step))),
    Boolean(gain) && el("span", { class: `reward ${gain < 0 ? "below" : ""}` }, reward(gain)),
    failed && el("span", { class: "exit", title: `exit ${step.exit_code}` }, "\u2717"));
    return item;
  };
  const list = virtualList(scroller, { estimate: () => LINE, make: line, fixed: true });
  const update = () => {
    const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = [];
    store.short.forEach((step, index) => {
      if (!KINDS[kind][1](step)) return;
      if (terms.length) {
        const text = `${step.tool}\n${step.action ?? ""}\n${step.thought ?? ""}`.toLowerCase();
        if (!terms.every((term) => text.includes(term))) return;
      }
      shown.push(index);
    });
    fill(kinds, KINDS.map(([name, fits], place) => {
      const found = place ? store.short.filter(fits).length : store.count();
      return button([name, " ", el("b", {}, whole(found))], () => {
        kind = kind === place ? 0 : place;
        update();
      }, { "aria-pressed": String(kind === place), disabled: !found });
    }));
    fill(count, terms.length > 0 && `${many(shown.length, "step")} found`);
    list.resize(shown.length, true);
    sight();
  };
  // What takes or leaves room beside it must not hide the current line.
  const sized = new ResizeObserver(() => sight());
  sized.observe(scroller);
  const sight = () => {
    const place = shown.indexOf(current);
    if (place >= 0) list.show(place, true);
  };
  search.addEventListener("input", update);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !shown.length) return;
    event.preventDefault();
    // Again and again: from one that was found to the next.
    onPick(shown.find((index) => index > current) ?? shown[0]);
  });
  return {
    update,
    search,
    current(index) {
      const before = shown.indexOf(current);
      current = index;
      if (before >= 0) list.redo(before);
      const now = shown.indexOf(index);
      if (now >= 0) list.redo(now);
      sight();
    },
    close() {
      sized.disconnect();
      list.close();
    },
  };
}

function told(step) {
  const text = step.action ?? step.thought ?? "";
  // The tool stands before it already.
  return text.startsWith(`${step.tool} `) ? text.slice(step.tool.length + 1) : text === step.tool ? "" : text;
}

// The lanes beside a line; between lines that do not follow each other none go on.
function lanes(graph, index, isWhole) {
  if (graph.branches.length < 2) return null;
  const width = STEP_X * graph.lanes + 4;
  const x = (lane) => STEP_X * lane + 6;
  const middle = LINE / 2;
  const parts = isWhole ? through(graph, index).map(([lane, above, below, source]) => {
    const up = above ? 0 : middle;
    const down = below || source !== null ? LINE : middle;
    const path = source !== null && source !== lane
      ? `M${x(source)} ${middle}C${x(source)} ${LINE} ${x(lane)} ${middle} ${x(lane)} ${LINE}`
      : `M${x(lane)} ${up}V${down}`;
    return draw("path", { d: path, class: `lane lane${lane}` });
  }) : [];
  const lane = graph.lane(index);
  return draw("svg", { class: "lanes", width, height: LINE, viewBox: `0 0 ${width} ${LINE}`, "aria-hidden": "true" },
    parts, draw("circle", { cx: x(lane), cy: middle, r: 3.5, class: `node lane${lane} ${graph.kept[index] ? "" : "open"}` }));
}
