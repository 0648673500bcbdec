// Owns the table of all runs: filter, sort, search, and choosing two for comparison.

import {el, fill} from "./dom.js";
import {fixed, many, measured, moment, money, part, reward, seconds, visible, whole, words} from "./text.js";
import {playerOf} from "./looks.js";
import {virtualList} from "./virtual.js";
import {button, chip, choice, loading, modelName, notice, stateMark, statesOf} from "./widgets.js";
import {CHOICES, counted, fitting, ordered, readFilter, writeFilter} from "./filters.js";

const ROW = 34;
// [column, title, kind, cell of a row]; "number" stands right. CSS gives widths and hides what a
// narrow window has no room for.
const COLUMNS = [
  ["task", "Task", "", taskCell],
  ["agent", "Agent", "", (row) => el("bdi", {}, visible(row.agent ?? "\u2013"))],
  ["model", "Model", "", (row, app) => (row.model ? modelName(row.model, app.listing.colour(playerOf(row))) : el("span", { class: "faint" }, "\u2013"))],
  ["seed", "Seed", "number", (row) => whole(row.seed)],
  ["status", "State", "", (row) => stateMark(row.status)],
  ["score", "Score", "number", scoreCell],
  ["value", "Metric", "number", metricCell],
  ["total_reward", "Return", "number", (row) => reward(row.total_reward)],
  ["exit_reason", "Ended", "", (row) => words(row.exit_reason ?? "\u2013")],
  ["steps", "Steps", "number", (row) => whole(row.steps)],
  ["cost_usd", "Cost", "number", (row) => money(row.cost_usd)],
  ["duration_s", "Time", "number", (row) => seconds(row.duration_s)],
  ["started_at", "Started", "number", (row) => moment(row.started_at)],
];

function taskCell(row, app) {
  const link = el("a", { href: `#/run/${part(row.id)}`, title: visible(row.id), class: "row-link", tabindex: "-1" },
    el("bdi", {}, visible(row.task ?? row.run_id)));
  return [link, app.mixed && row.profile && chip(visible(row.profile)),
    Boolean(row.data_seed) && chip(`data ${row.data_seed}`, "", "data seed")];
}

function scoreCell(row) {
  if (typeof row.score !== "number") return fixed(row.score, 3);
  const bar = el("i", { class: `bar ${row.score < 0 ? "below" : ""}`, "aria-hidden": "true" });
  bar.style.setProperty("--share", Math.min(1, Math.abs(row.score)).toFixed(3));
  return [bar, fixed(row.score, 3)];
}

function metricCell(row) {
  return typeof row.value === "number"
    ? [el("span", { class: "faint" }, `${visible(row.primary)} `), measured(row.value)] : "\u2013";
}

// Show the table in `host`. Returns what keys do there, and how to leave.
export function showTable(app, host, params) {
  const filter = readFilter(params);
  const chosen = new Set(params.getAll("with").slice(0, 1));
  let rows = [];
  let active = -1;
  let list = null;

  const search = el("input", {
    type: "search", placeholder: "Search runs", "aria-label": "Search runs", value: filter.q,
    autocomplete: "off", spellcheck: "false",
    on: { input: () => set("q", search.value), keydown: (event) => event.key === "Enter" && (event.preventDefault(), scroller.focus(), activate(0)) },
  });
  const choices = Object.fromEntries(CHOICES.map((name) => {
    const labels = { data_seed: "Data seed", status: "State" };
    const label = labels[name] ?? name[0].toUpperCase() + name.slice(1);
    return [name, choice(label, [], filter[name], (value) => set(name, value))];
  }));
  const count = el("span", { class: "count", role: "status" });
  const states = el("div", { class: "states", role: "group", "aria-label": "States" });
  const clear = button("Clear", () => reset(), { class: "quiet", hidden: true });
  const compare = button("Compare", () => startCompare(), { class: "compare", title: "c" });
  const header = el("div", { class: "row head", role: "row" });
  const scroller = el("div", { class: "scroller", tabindex: "0", role: "rowgroup", "aria-label": "Runs" });
  const grid = el("div", { class: "grid", role: "grid", "aria-label": "Runs", "aria-multiselectable": "true" }, header, scroller);
  const empty = el("div", { class: "empty" });
  const toolbar = el("div", { class: "toolbar" }, search, Object.values(choices).map((each) => each.element), clear,
    el("span", { class: "spacer" }), count, compare);
  fill(host, el("section", { class: "view runs" }, toolbar, states, grid, empty));
  fill(empty, loading("Reading the runs"));

  const set = (name, value) => {
    filter[name] = value;
    active = -1;
    app.amend(writeFilter(filter));
    update();
  };
  const reset = () => {
    for (const name of ["q", ...CHOICES]) filter[name] = "";
    search.value = "";
    set("q", "");
  };
  const startCompare = () => {
    const [one, other] = [...chosen];
    if (other) app.go(`#/compare/${part(one)}/${part(other)}`);
  };
  const choose = (row) => {
    if (!row) return;
    if (!chosen.delete(row.id)) chosen.add(row.id);
    // Two at most: the one chosen first gives way.
    if (chosen.size > 2) chosen.delete([...chosen][0]);
    paintChosen();
    list?.redo(...seen());
  };
  const seen = () => {
    const shown = list.shown();
    return shown.length ? [Math.min(...shown), Math.max(...shown) + 1] : [0, 0];
  };
  const activate = (index) => {
    if (!rows.length) return;
    const before = active;
    active = Math.max(0, Math.min(rows.length - 1, index));
    if (before >= 0) list.redo(before);
    list.show(active, true);
    list.redo(active);
    scroller.setAttribute("aria-activedescendant", `row-${active}`);
  };
  const makeRow = (index) => {
    const row = rows[index];
    const tick = el("input", { type: "checkbox", tabindex: "-1", checked: chosen.has(row.id), "aria-label": `Choose ${visible(row.run_id)}`, on: { change: () => choose(row) } });
    return el("div", {
      class: `row ${index === active ? "active" : ""} ${chosen.has(row.id) ? "chosen" : ""}`, role: "row",
      id: `row-${index}`, "aria-rowindex": index + 2, "aria-selected": String(chosen.has(row.id)),
      title: row.problem ? visible(row.problem) : null,
    }, el("label", { class: "cell c-tick", role: "gridcell" }, tick),
    COLUMNS.map(([name, , kind, cell]) => el("div", { class: `cell c-${name} ${kind}`, role: "gridcell" }, cell(row, app))));
  };
  const paintHeader = () => {
    fill(header, el("div", { class: "cell c-tick", role: "columnheader" }, el("span", { class: "unseen" }, "Choose")),
      COLUMNS.map(([name, title, kind]) => {
        const falls = filter.sort === `-${name}`;
        const sorted = falls ? "descending" : filter.sort === name ? "ascending" : "none";
        // Numbers are looked at from the largest first.
        const next = sorted === "none" ? (kind ? `-${name}` : name) : falls ? name : `-${name}`;
        return el("div", { class: `cell c-${name} ${kind} sorted-${sorted}`, role: "columnheader", "aria-sort": sorted },
          button(title, () => set("sort", next)));
      }));
  };
  const paintChosen = () => {
    compare.disabled = chosen.size !== 2;
    compare.textContent = chosen.size === 1 ? "Compare: choose one more" : chosen.size ? "Compare 2 runs" : "Compare";
    compare.classList.toggle("primary", chosen.size === 2);
  };
  const paintStates = (all) => {
    const open = fitting(all, filter, "status");
    fill(states, statesOf(all).map((state) => {
      const found = open.filter((row) => row.status === state).length;
      const on = filter.status === state;
      return button([stateMark(state), el("b", {}, whole(found))], () => set("status", on ? "" : state),
        { class: "state-choice", "aria-pressed": String(on) });
    }));
  };
  const update = () => {
    const all = app.listing.rows();
    app.mixed = new Set(all.map((row) => row.profile).filter(Boolean)).size > 1;
    rows = ordered(fitting(all, filter), filter.sort);
    for (const name of CHOICES) choices[name].offer(counted(fitting(all, filter, name), name), filter[name]);
    for (const [name, needed] of [["profile", app.mixed], ["data_seed", all.some((row) => row.data_seed)]]) {
      choices[name].element.hidden = !needed && !filter[name];
    }
    choices.status.element.hidden = true;
    clear.hidden = !["q", ...CHOICES].some((name) => filter[name]);
    fill(count, rows.length === all.length ? many(all.length, "run") : `${whole(rows.length)} of ${many(all.length, "run")}`);
    grid.setAttribute("aria-rowcount", String(rows.length + 1));
    paintHeader();
    paintStates(all);
    paintChosen();
    fill(empty, !rows.length && (all.length
      ? notice("No run fits", "Nothing here has all that is asked for.", button("Clear the filter", reset))
      : notice("No runs yet", `There is none in ${visible(app.listing.root())}. \u201cmlgym run\u201d puts one there; it will appear by itself.`)));
    grid.classList.toggle("none", !rows.length);
    grid.hidden = toolbar.hidden = states.hidden = !all.length;
    list ??= virtualList(scroller, { estimate: () => ROW, make: makeRow, fixed: true });
    list.resize(rows.length, true);
  };
  let left = false;
  let unwatch = () => {};
  app.listing.ready().then(() => {
    if (left) return;
    update();
    app.mark("runs");
    unwatch = app.listing.watch(update);
  }, (error) => fill(empty, notice("The runs cannot be read", error.message)));
  app.title("Runs");
  paintChosen();

  return {
    keys: {
      j: () => activate(active + 1),
      k: () => activate(active - 1),
      g: () => activate(0),
      G: () => activate(rows.length - 1),
      x: () => choose(rows[active]),
      c: () => (chosen.size === 2 ? startCompare() : choose(rows[active])),
      Enter: () => rows[active] && app.go(`#/run/${part(rows[active].id)}`),
      "/": () => search.select(),
      Escape: () => (document.activeElement === search ? scroller.focus() : clear.hidden || reset()),
    },
    close() {
      left = true;
      unwatch();
      list?.close();
    },
  };
}
