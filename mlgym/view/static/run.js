// Owns the view of one run: what came of it, its curves, its outline and its timeline, live.

import {el, fill} from "./dom.js";
import {fixed, measured, moment, money, numeric, part, reward, seconds, visible, whole, words} from "./text.js";
import {playerOf} from "./looks.js";
import {lanesOf} from "./branches.js";
import {curves, panelsOf} from "./curve.js";
import {outline} from "./outline.js";
import {placeOf, stepStore} from "./steps.js";
import {timeline} from "./timeline.js";
import {button, chip, dialog, loading, modelName, notice, stateMark} from "./widgets.js";

// Show the run of an id in `host`.
export function showRun(app, host, id, params) {
  let left = false;
  let parts = null;
  const alive = () => !left;
  fill(host, loading("Reading the run"));
  app.title(id);
  app.source.run(id, alive).then((told) => {
    if (left) return;
    parts = openRun(app, host, id, told, params, alive);
  }, (error) => left || fill(host, notice("This run cannot be shown", error.message, el("a", { href: "#/" }, "All runs"))));
  const does = (what) => (...given) => parts?.[what](...given);
  return {
    keys: {
      j: does("next"), k: does("previous"), g: does("first"), G: does("last"), "/": does("search"), f: does("follow"),
      c: does("compare"),
      Escape: does("escape"),
    },
    // The address has changed, but not the run.
    turn: (fresh) => parts?.turn(fresh),
    close() {
      left = true;
      parts?.close();
    },
  };
}

function openRun(app, host, id, told, params, alive) {
  let { row, record } = told;
  const store = stepStore(app.source, id, told.steps, alive);
  let graph = lanesOf(store.short);
  let following = false;
  let end = told.end;
  const isRunning = () => row.status === "running";

  const head = el("header", { class: "run-head" });
  const curveHost = el("div", { class: "curve" });
  const side = el("aside", { class: "outline", "aria-label": "Outline" });
  const scroller = el("div", { class: "scroller timeline", tabindex: "0", role: "feed", "aria-label": "Steps" });
  const follow = el("input", { type: "checkbox", role: "switch", on: { change: () => setFollowing(follow.checked) } });
  const followLabel = el("label", { class: "switch", title: "f" }, follow, " following");
  const empty = el("div", { class: "empty" });
  fill(host, el("section", { class: "view run" }, head,
    el("div", { class: "panes" }, el("div", { class: "side" }, curveHost, side), el("div", { class: "main" }, empty, scroller))));

  const curve = curves(curveHost, { onPick: (index) => pick(index) });
  const lines = outline(side, { store, graph: () => graph, onPick: (index) => pick(index) });
  const steps = timeline(app, scroller, {
    id, store, graph: () => graph,
    onCurrent(index) {
      curve.cursor(index);
      lines.current(index);
      app.amend(index ? new URLSearchParams({ step: store.short[index].step }) : new URLSearchParams());
    },
    onEnd: (isThere) => setFollowing(isThere && isRunning(), false),
  });
  store.onFail = (error) => app.say(`Steps cannot be read: ${error.message}`);

  const pick = (index) => {
    setFollowing(false);
    steps.go(index);
  };
  const setFollowing = (on, move = true) => {
    if (following === on) return;
    following = follow.checked = on;
    if (move || on) steps.follow(on);
  };
  const paintHead = () => {
    app.title(`${row.task ?? row.run_id} \u00b7 ${playerOf(row)}`);
    fill(head, titleLine(app, id, row, [
      isRunning() && followLabel,
      told.log && button("Log", () => dialog("Log, the last lines", el("pre", {}, visibleLines(told.log))), { class: "quiet" }),
      record && button("Record", () => dialog("run.json", el("pre", {}, visibleLines(JSON.stringify(record, null, 2)))), { class: "quiet" }),
      app.source.live && el("a", { class: "button quiet", href: app.source.exportOf(id), download: "" }, "Export"),
      app.source.live && el("a", { class: "button quiet", href: othersOf(id, row), title: "c" }, "Compare"),
    ]), row.problem && el("p", { class: "problem", role: "alert" }, visible(row.problem)), figures(row, record, store, told.goal));
  };
  const paint = () => {
    graph = lanesOf(store.short);
    fill(empty, !store.count() && notice("No steps", isRunning() ? "The first will appear here by itself." : "The trajectory holds none."));
    steps.resize();
    curve.tell({ steps: store.short, primary: row.primary ?? Object.keys(record?.baseline ?? {})[0] ?? null, goal: told.goal, baseline: record?.baseline ?? null });
    lines.update();
  };
  paintHead();
  paint();
  const turn = (fresh) => {
    const wanted = Number(fresh.get("step"));
    const index = fresh.has("step") ? placeOf(store.short, wanted) : 0;
    if (index >= 0) steps.go(index);
    else app.say(`There is no step ${visible(fresh.get("step"))} in this run.`);
  };
  if (params.has("step")) turn(params);
  else if (isRunning()) setFollowing(true);
  scroller.focus({ preventScroll: true });
  app.mark("run");

  const stop = app.source.live && (isRunning() || row.status === "broken") ? app.source.follow(id, () => end, {
    steps(found) {
      end = found.end;
      if (!store.add(found.from, found.steps)) return;
      paint();
      paintHead();
      if (following) steps.follow(true);
    },
    record(found) {
      ({ row, record } = { row: found.row ?? row, record: found.record ?? record });
      paintHead();
      paint();
    },
    done() {
      stop();
      app.say("The run has ended.");
      // What came of it stands in the record, which may be newer than its last event.
      app.source.run(id, alive).then((fresh) => {
        if (!alive()) return;
        ({ row, record } = fresh);
        store.add(0, fresh.steps);
        told.log = fresh.log;
        setFollowing(false);
        paintHead();
        paint();
      }, () => {});
    },
  }) : () => {};

  return {
    next: () => (setFollowing(false), steps.by(1)),
    previous: () => (setFollowing(false), steps.by(-1)),
    first: () => pick(0),
    last: () => (isRunning() ? setFollowing(true) : pick(store.count() - 1)),
    search: () => lines.search.select(),
    follow: () => isRunning() && setFollowing(!following),
    escape: () => scroller.focus(),
    compare: () => app.source.live && app.go(othersOf(id, row)),
    turn,
    close() {
      stop();
      curve.close();
      lines.close();
      steps.close();
    },
  };
}

// Where another run is chosen to compare this one with: most likely one of the same task.
function othersOf(id, row) {
  return `#/?with=${part(id)}${row.task ? `&task=${part(row.task)}` : ""}`;
}

function titleLine(app, id, row, tools) {
  const seeds = [["seed", row.seed], ["data seed", row.data_seed || null]].filter(([, value]) => value !== null && value !== undefined);
  return el("div", { class: "title-line" },
    el("h1", {}, el("bdi", {}, visible(row.task ?? row.run_id ?? id))),
    row.profile && chip(visible(row.profile)),
    playerOf(row) && modelName(playerOf(row), app.listing.colour(playerOf(row))),
    row.model && el("span", { class: "faint" }, visible(row.agent)),
    seeds.map(([name, value]) => el("span", { class: "faint" }, `${name} ${value}`)),
    stateMark(row.status),
    el("span", { class: "spacer" }), tools.filter(Boolean));
}

// What came of it, each with its name.
function figures(row, record, store, goal) {
  const baseline = numeric(record?.baseline?.[row.primary]);
  const last = store.short.findLast((step) => typeof step.cost_usd === "number");
  const tokens = store.short.findLast((step) => step.tokens)?.tokens;
  const sum = store.short.reduce((all, step) => all + (numeric(step.reward) || 0), 0);
  const best = goal ? panelsOf(store.short, row.primary, goal, record?.baseline)[0]?.best ?? null : null;
  const found = [
    ["Score", el("b", { class: typeof row.score === "number" ? "large" : "" }, typeof row.score === "number" ? fixed(row.score, 3) : "none")],
    row.primary && [visible(row.primary), [el("b", {}, measured(row.value)), goal && el("span", { class: "faint", title: goal === "minimize" ? "less is better" : "more is better" }, goal === "minimize" ? " \u2193" : " \u2191"), baseline !== null && el("span", { class: "faint" }, ` baseline ${measured(baseline)}`)]],
    best !== null && ["Best validation", measured(best)],
    ["Return", reward(row.total_reward ?? (store.count() ? sum : null))],
    ["Ended", words(row.exit_reason ?? (row.status === "running" ? "not yet" : "\u2013"))],
    ["Steps", whole(Math.max(row.steps ?? 0, store.count() - 1))],
    ["Time", seconds(row.duration_s)],
    ["Cost", money(row.cost_usd ?? last?.cost_usd)],
    tokens && ["Tokens", whole(tokens)],
    ["Started", moment(row.started_at)],
  ].filter(Boolean);
  return el("dl", { class: "figures" }, found.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

// Several lines of text, each harmless.
function visibleLines(text) {
  const all = Array.isArray(text) ? text : String(text).split("\n");
  return all.map((line) => visible(String(line).replace(/\n$/, ""))).join("\n");
}
