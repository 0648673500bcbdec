// Owns the matrix of tasks by players: what each came to, over its seeds.

import {el, fill, draw} from "./dom.js";
import {fixed, many, visible, words} from "./text.js";
import {playerOf} from "./looks.js";
import {chip, choice, loading, modelName, notice, stateMark, statesOf} from "./widgets.js";
import {counted, fitting, readFilter, writeFilter} from "./filters.js";

const SIZE = [132, 18];

// The cells of rows and of what a suite plans: a map by task, then by player. A run of another
// profile or data seed is no seed of the same cell: those are chosen before.
function cellsOf(rows, planned) {
  const cells = new Map();
  const cell = (task, player) => {
    if (!cells.has(task)) cells.set(task, new Map());
    const line = cells.get(task);
    if (!line.has(player)) line.set(player, { rows: [], planned: 0 });
    return line.get(player);
  };
  for (const row of rows) if (row.task) cell(row.task, columnOf(row)).rows.push(row);
  for (const plan of planned) if (plan?.task) cell(String(plan.task), columnOf(plan)).planned += 1;
  return cells;
}

function columnOf(row) {
  return JSON.stringify([playerOf(row) === row.agent ? null : row.model ?? null, row.agent ?? ""]);
}

// What a cell's scores come to. A run without a score is in no mean.
function summed(rows) {
  const scores = rows.map((row) => row.score).filter((score) => typeof score === "number");
  const mean = scores.length ? scores.reduce((sum, score) => sum + score, 0) / scores.length : null;
  return { scores, mean };
}

// Show the matrix in `host`.
export function showMatrix(app, host, params) {
  const filter = readFilter(params);
  let suites = [];
  let suite = params.get("suite") ?? "";
  const body = el("div", { class: "matrix-body" }, loading("Reading the runs"));
  const tools = el("div", { class: "toolbar" });
  fill(host, el("section", { class: "view matrix" }, tools, body));
  app.title("Suite");

  const choices = {};
  for (const name of ["profile", "data_seed"]) {
    choices[name] = choice(name === "profile" ? "Profile" : "Data seed", [], "", (value) => {
      filter[name] = value;
      update();
    });
  }
  const suiteChoice = choice("Suite", [], suite, (value) => {
    suite = value;
    update();
  });
  fill(tools, suiteChoice.element, choices.profile.element, choices.data_seed.element, el("span", { class: "legend" },
    "Mean score over seeds: 0 is the baseline, 1 the target. Each dot is one run."));

  const update = () => {
    const params = writeFilter({ profile: filter.profile, data_seed: filter.data_seed });
    if (suite) params.set("suite", suite);
    app.amend(params);
    const within = app.listing.rows().filter((row) => !suite || suite === "." || row.id.startsWith(`${suite}/`));
    pickOne("profile", within);
    pickOne("data_seed", within);
    const rows = fitting(within, { ...filter, q: "", task: "", agent: "", model: "", status: "" });
    const planned = suites.filter((each) => !suite || each.path === suite).flatMap((each) => each.cells ?? []);
    suiteChoice.offer(suites.map((each) => [each.path, each.cells?.length ?? 0]), suite);
    suiteChoice.element.hidden = !suites.length;
    paint(cellsOf(rows, planned));
  };
  // Runs on other data never meet in one cell: the most frequent is shown first.
  const pickOne = (name, within) => {
    const found = counted(within, name);
    if (!found.some(([value]) => value === filter[name])) {
      filter[name] = found.length ? found.reduce((one, other) => (other[1] > one[1] ? other : one))[0] : "";
    }
    choices[name].offer(found, filter[name]);
    choices[name].element.hidden = found.length < 2;
  };
  const paint = (cells) => {
    if (!cells.size) {
      fill(body, notice("Nothing to lay out yet", "Runs appear here by task and model as soon as there are some."));
      return;
    }
    const columns = [...new Set([...cells.values()].flatMap((line) => [...line.keys()]))].sort();
    const head = el("tr", {}, el("th", { scope: "col" }, "Task"), columns.map((column) => {
      const [model, agent] = JSON.parse(column);
      return el("th", { scope: "col" }, modelName(model ?? agent, app.listing.colour(model ?? agent)),
        model !== null && el("div", { class: "faint" }, visible(agent)));
    }));
    const lines = [...cells].sort(([one], [other]) => (one < other ? -1 : 1)).map(([task, line]) => {
      const scores = [...line.values()].flatMap((cell) => summed(cell.rows).scores);
      const range = [Math.min(0, ...scores), Math.max(1, ...scores)].map((end) => Math.max(-1, Math.min(2, end)));
      return el("tr", {}, el("th", { scope: "row" }, visible(task)),
        columns.map((column) => el("td", {}, cellOf(task, column, line.get(column), range))));
    });
    fill(body, el("table", { class: "cells" }, el("thead", {}, head), el("tbody", {}, lines)));
  };
  const cellOf = (task, column, cell, range) => {
    if (!cell) return el("span", { class: "faint" }, "\u2013");
    const [model, agent] = JSON.parse(column);
    const { scores, mean } = summed(cell.rows);
    const wanted = writeFilter({ task, agent, model: model ?? agent, profile: filter.profile, data_seed: filter.data_seed });
    const open = Math.max(0, cell.planned - cell.rows.length);
    const states = statesOf(cell.rows).filter((state) => state !== "scored").map((state) => {
      const count = cell.rows.filter((row) => row.status === state).length;
      return el("span", { class: "cell-state", title: `${count} ${words(state)}` }, stateMark(state, false), String(count));
    });
    return el("a", { class: "suite-cell", href: `#/?${wanted}` },
      el("span", { class: "cell-top" }, el("b", {}, mean === null ? "no score" : fixed(mean, 3)),
        el("span", { class: "faint" }, `n = ${scores.length}`), states, open > 0 && chip(`${open} to come`)),
      strip(scores, range));
  };
  let left = false;
  let unwatch = () => {};
  Promise.all([app.listing.ready(), app.source.suites().catch(() => [])]).then(([, found]) => {
    suites = Array.isArray(found) ? found : [];
    if (left) return;
    update();
    unwatch = app.listing.watch(update);
  }, (error) => fill(body, notice("The runs cannot be read", error.message)));
  return {
    keys: {},
    close() {
      left = true;
      unwatch();
    },
  };
}

// A dot for each score between the ends, with baseline and target marked.
function strip(scores, [low, high]) {
  const [width, height] = SIZE;
  const at = (score) => 5 + (width - 10) * ((Math.max(low, Math.min(high, score)) - low) / (high - low || 1));
  const tick = (score) => draw("line", { x1: at(score), x2: at(score), y1: 2, y2: height - 2, class: "tick" });
  return draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "strip", role: "img", "aria-label": many(scores.length, "score") },
    draw("line", { x1: 2, x2: width - 2, y1: height / 2, y2: height / 2, class: "axis" }), tick(0), tick(1),
    scores.map((score) => draw("circle", { cx: at(score), cy: height / 2, r: 3, class: "dot" })));
}
