// Owns the view of two runs side by side: what was set otherwise, what came of it, where they part.

import {el, fill} from "./dom.js";
import {brief, fixed, many, money, part, reward, seconds, visible, whole, words} from "./text.js";
import {playerOf} from "./looks.js";
import {lanesOf} from "./branches.js";
import {differing, differingFields, firstDifference} from "./difference.js";
import {guessHeight, stepAddress, stepCard} from "./step.js";
import {placeOf, stepStore} from "./steps.js";
import {virtualList} from "./virtual.js";
import {button, chip, dialog, loading, modelName, notice, stateMark} from "./widgets.js";

const SET = ["task", "task_version", "task_sha256", "profile", "data_seed", "sandbox", "agent", "model", "seed", "baseline", "config", "versions"];

// Show two runs in `host`.
export function showCompare(app, host, ids, params) {
  let left = false;
  let parts = null;
  const alive = () => !left;
  fill(host, loading("Reading both runs"));
  app.title("Compare");
  Promise.all(ids.map((id) => app.source.run(id, alive))).then((both) => {
    if (!left) parts = openBoth(app, host, ids, both, params, alive);
  }, (error) => left || fill(host, notice("These runs cannot be compared", error.message, el("a", { href: "#/" }, "All runs"))));
  const does = (what, ...given) => () => parts?.[what](...given);
  return {
    keys: { j: does("by", 1), k: does("by", -1), g: does("to", 0), G: does("to", Infinity), n: does("difference") },
    turn: (fresh) => parts?.turn(fresh),
    close() {
      left = true;
      parts?.close();
    },
  };
}

function openBoth(app, host, ids, both, params, alive) {
  const stores = both.map((told, side) => stepStore(app.source, ids[side], told.steps, alive));
  const graphs = stores.map((store) => lanesOf(store.short));
  const count = Math.max(...stores.map((store) => store.count()));
  let current = 0;
  let parting = null;
  const views = ids.map((id, side) => ({
    open: new Set(),
    current: () => current,
    count: () => stores[side].count(),
    numberOf: (index) => stores[side].short[index]?.step,
    address: (number) => stepAddress(id, number),
    image: (name) => app.source.image(id, name),
    go: (index) => to(index),
    redo: (index) => list.redo(index),
  }));
  const sentence = el("p", { class: "parting", role: "status" }, el("i", { class: "spinner" }), " Looking for the first difference");
  const scroller = el("div", { class: "scroller timeline", tabindex: "0", role: "feed", "aria-label": "Steps of both runs" });
  fill(host, el("section", { class: "view compare" },
    el("div", { class: "pair pair-head" }, both.map((told, side) => runHead(app, ids[side], told, both[1 - side]))),
    el("div", { class: "compare-bar" }, sentence, el("span", { class: "spacer" }), settingsButton(both)), scroller));

  const cardOf = (side, index) => {
    const store = stores[side];
    if (index >= store.count()) return el("div", { class: "step none" }, index === store.count() ? "This run has ended." : "");
    store.want(index);
    const graph = graphs[side];
    const place = { forks: graph.forks(index), parent: graph.parents[index], kept: true };
    return stepCard(views[side], index, store.short[index], store.full(index), place);
  };
  const make = (index) => {
    const full = stores.map((store) => store.full(index));
    const known = full.every(Boolean) || stores.some((store) => index >= store.count());
    const names = known ? differing(...full) : [];
    const first = parting?.index === index;
    return el("div", { class: `pair ${names.length ? "differs" : ""} ${first ? "first" : ""}` },
      first && el("p", { class: "first-difference" }, `First difference: ${parting.names.join(" and ")}`),
      [0, 1].map((side) => cardOf(side, index)));
  };
  const turn = (index) => {
    if (index === current) return;
    const before = current;
    current = index;
    list.redo(before);
    list.redo(index);
    app.amend(new URLSearchParams(index ? { step: index } : {}));
  };
  const list = virtualList(scroller, {
    estimate: (index) => Math.max(...stores.map((store) => (store.short[index] ? guessHeight(store.short[index]) : 0))),
    make,
    onScroll: turn,
  });
  const to = (index) => {
    const place = Math.max(0, Math.min(count - 1, index));
    turn(place);
    list.show(place);
  };
  for (const store of stores) {
    store.onFull = (from, until) => list.redo(from, until);
    store.onFail = (error) => app.say(`Steps cannot be read: ${error.message}`);
  }
  list.resize(count);
  if (params.has("step")) to(Math.max(0, placeOf(stores[0].short, Number(params.get("step")))));
  scroller.focus({ preventScroll: true });
  firstDifference(...stores, alive).then((found) => {
    if (!alive()) return;
    parting = found;
    const jump = () => to(found.index);
    const there = () => (found.index ? `The same until step ${whole(found.index)}, where` : "From the start");
    if (!found) fill(sentence, "No difference: both runs have the same actions and observations.");
    else fill(sentence, found.names[0] === "length" ? `The same until one ends, before step ${whole(found.index)}. ` : `${there()} ${found.names.join(" and ")} ${found.names.length > 1 ? "differ" : "differs"}. `,
      button("Go there", jump, { class: "link", title: "n" }));
    if (found) list.redo(found.index);
  }, (error) => fill(sentence, `The first difference cannot be found: ${error.message}`));

  return {
    by: (steps) => to(current + steps),
    to,
    difference: () => parting && to(parting.index),
    turn: (fresh) => fresh.has("step") && to(Number(fresh.get("step")) || 0),
    close: () => list.close(),
  };
}

function runHead(app, id, { row }, { row: other }) {
  const seed = row.seed ?? null;
  const better = typeof row.score === "number" && typeof other.score === "number" && row.score > other.score;
  const facts = [
    [row.primary ?? "metric", brief(row.value)], ["return", reward(row.total_reward)], ["ended", words(row.exit_reason ?? "\u2013")],
    ["steps", whole(row.steps)], ["time", seconds(row.duration_s)], ["cost", money(row.cost_usd)],
  ];
  return el("header", { class: "run-card" },
    el("div", { class: "title-line" }, el("h2", {}, el("a", { href: `#/run/${part(id)}` }, el("bdi", {}, visible(row.task ?? row.run_id)))),
      modelName(playerOf(row) || "unknown", app.listing.colour(playerOf(row))), row.model && el("span", { class: "faint" }, visible(row.agent)),
      seed !== null && el("span", { class: "faint" }, `seed ${seed}`), stateMark(row.status)),
    el("div", { class: "facts" }, el("span", { class: "fact" }, "score ", el("b", {}, typeof row.score === "number" ? fixed(row.score, 3) : "none")), better && chip("better", "good"),
      facts.map(([name, value]) => el("span", { class: "fact faint" }, `${visible(name)} `, el("span", { class: "value" }, value)))));
}

// A button that shows what was set otherwise, where anything was.
function settingsButton(both) {
  const fields = differingFields(both[0].record, both[1].record, SET);
  if (!fields.length) return el("span", { class: "faint" }, "set up the same");
  const cell = (value) => el("td", {}, visible(typeof value === "string" ? value : JSON.stringify(value)));
  return button(`${many(fields.length, "setting")} ${fields.length === 1 ? "differs" : "differ"}`, () => dialog("What was set otherwise",
    el("table", { class: "fields" }, el("thead", {}, el("tr", {}, ["Field", "Left", "Right"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, fields.map(([name, one, other]) => el("tr", {}, el("th", { scope: "row" }, visible(name)), cell(one), cell(other)))))), { class: "quiet" });
}
