// Owns the curves of a run over its steps: the metric with its baseline, the return, the cost.

import {draw, el, fill} from "./dom.js";
import {brief, money, numeric, reward, visible, whole} from "./text.js";

const LEFT = 52;
const RIGHT = 10;
const GAP = 24;
const TITLE = 14;

// What is drawn of steps: a panel for each quantity that there is.
export function panelsOf(steps, primary, goal, baseline) {
  const found = [];
  const name = primary ?? Object.keys(steps.findLast((step) => step.metrics)?.metrics ?? {})[0];
  const points = [];
  steps.forEach((step, index) => {
    const value = numeric(step.metrics?.[name]);
    if (value !== null && Number.isFinite(value)) points.push([index, value, step.tool === "submit" || step.terminated]);
  });
  if (points.length) {
    let best = null;
    const line = points.filter((point) => !point[2]).map(([index, value]) => {
      best = best === null || (goal === "minimize" ? value < best : value > best) ? value : best;
      return [index, best];
    });
    found.push({ best, title: name, height: 92, points, line: goal ? line : [], baseline: numeric(baseline?.[name]), format: brief, steps: goal !== null, goal });
  }
  let sum = 0;
  const returns = steps.map((step, index) => [index, (sum += numeric(step.reward) || 0)]).filter((point) => Number.isFinite(point[1]));
  if (returns.some((point) => point[1])) found.push({ title: "return", height: 44, points: [], line: returns, baseline: null, format: reward });
  const costs = steps.map((step, index) => [index, step.cost_usd]).filter((point) => typeof point[1] === "number");
  if (costs.some((point) => point[1])) found.push({ title: "cost", height: 44, points: [], line: costs, baseline: null, format: money, from: 0 });
  return found;
}

// The curves in `host`. `onPick(index)` is told which step was pointed at and chosen.
export function curves(host, { onPick }) {
  let told = { steps: [], primary: null, goal: null, baseline: null };
  let panels = [];
  let at = 0;
  let cursor = null;
  let hover = null;
  const readout = el("div", { class: "readout", "aria-hidden": "true" });
  const drawing = el("div", { class: "drawing" });
  fill(host, drawing, readout);
  const most = () => Math.max(1, told.steps.length - 1);
  let width = 200;
  let frame = 0;
  const x = (index) => LEFT + ((width - LEFT - RIGHT) * index) / most();
  // Once a frame, and after the steps: those are what one came for.
  const soon = () => {
    frame ||= requestAnimationFrame(paint);
  };
  const paint = () => {
    frame = 0;
    // Asked for once: each time costs a layout.
    width = Math.max(200, host.clientWidth);
    if (!panels.length) {
      fill(drawing, el("p", { class: "faint no-curve" }, told.steps.length ? "Nothing was measured yet." : ""));
      cursor = hover = null;
      return;
    }
    const height = panels.reduce((sum, panel) => sum + panel.height + GAP, 0) + 10;
    cursor = draw("line", { class: "cursor", y1: TITLE + 4, y2: height - 16 });
    hover = draw("line", { class: "hover", y1: TITLE + 4, y2: height - 16, x1: -9, x2: -9 });
    let top = TITLE + 2;
    const parts = panels.map((panel) => {
      const drawn = onePanel(panel, top, x, width);
      top += panel.height + GAP;
      return drawn;
    });
    const axis = [0, most()].map((index, place) =>
      draw("text", { x: x(index), y: height - 2, class: "label", "text-anchor": place ? "end" : "start" }, place ? whole(told.steps[index]?.step ?? index) : "step 0"));
    fill(drawing, draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spoken(panels) }, parts, axis, hover, cursor));
    point();
  };
  const point = () => {
    if (!cursor) return;
    cursor.setAttribute("x1", x(at));
    cursor.setAttribute("x2", x(at));
    say(at);
  };
  const say = (index) => {
    const step = told.steps[index];
    if (!step || !panels.length) return fill(readout);
    const values = panels.map((panel) => {
      const point = panel.points.find((each) => each[0] === index) ?? panel.line.findLast?.((each) => each[0] <= index);
      return point && el("span", {}, `${visible(panel.title)} `, el("b", {}, panel.format(point[1])));
    });
    return fill(readout, el("span", {}, "step ", el("b", {}, whole(step.step))), values);
  };
  const indexAt = (event) => {
    const place = event.clientX - drawing.getBoundingClientRect().left;
    return Math.max(0, Math.min(most(), Math.round(((place - LEFT) / (width - LEFT - RIGHT)) * most())));
  };
  // A measured point nearby is what is meant: few can point at one of thousands.
  const meant = (event) => {
    const index = indexAt(event);
    const near = panels[0]?.points.map((each) => each[0]).filter((each) => Math.abs(x(each) - x(index)) < 5) ?? [];
    return near.length ? near.reduce((one, other) => (Math.abs(other - index) < Math.abs(one - index) ? other : one)) : index;
  };
  drawing.addEventListener("pointermove", (event) => {
    if (!hover) return;
    const index = meant(event);
    hover.setAttribute("x1", x(index));
    hover.setAttribute("x2", x(index));
    say(index);
  });
  drawing.addEventListener("pointerleave", () => {
    hover?.setAttribute("x1", -9);
    hover?.setAttribute("x2", -9);
    say(at);
  });
  drawing.addEventListener("click", (event) => panels.length && onPick(meant(event)));
  const sized = new ResizeObserver(soon);
  sized.observe(host);
  return {
    tell(fresh) {
      told = { ...told, ...fresh };
      host.hidden = !told.steps.length;
      panels = panelsOf(told.steps, told.primary, told.goal, told.baseline);
      soon();
    },
    cursor(index) {
      at = index;
      if (!frame) point();
    },
    close() {
      sized.disconnect();
      cancelAnimationFrame(frame);
    },
  };
}

function onePanel(panel, top, x, width) {
  const values = [...panel.points, ...panel.line].map((point) => point[1]);
  if (panel.baseline !== null && Number.isFinite(panel.baseline)) values.push(panel.baseline);
  if (panel.from !== undefined) values.push(panel.from);
  let low = values.reduce((one, other) => Math.min(one, other));
  let high = values.reduce((one, other) => Math.max(one, other));
  [low, high] = withoutOutliers(panel, low, high);
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const within = (value) => Math.max(low, Math.min(high, value));
  const y = (value) => top + 4 + ((panel.height - 8) * (high - within(value))) / (high - low);
  const path = thinned(panel.line, x).map(([index, value], place) => {
    const [px, py] = [x(index).toFixed(1), y(value).toFixed(1)];
    if (!place) return `M${px} ${py}`;
    return panel.steps ? `H${px}V${py}` : `L${px} ${py}`;
  }).join("");
  // The best so far holds until the end.
  const tail = panel.steps && path ? `H${(width - RIGHT).toFixed(1)}` : "";
  return draw("g", { class: "panel" },
    draw("line", { x1: LEFT, x2: width - RIGHT, y1: top + panel.height, y2: top + panel.height, class: "axis" }),
    [[high, 11], [low, -2]].map(([value, down]) =>
      draw("text", { x: LEFT - 6, y: y(value) + (down > 0 ? 7 : 2), class: "label", "text-anchor": "end" }, panel.format(value))),
    draw("text", { x: LEFT, y: top - 4, class: "label name" }, visible(panel.title).slice(0, 24)),
    panel.points.length > 0 && draw("text", { x: width - RIGHT, y: top - 4, class: "label", "text-anchor": "end" }, "\u25cb validation  \u25c6 test  \u2508 baseline"),
    panel.baseline !== null && Number.isFinite(panel.baseline)
      && draw("line", { x1: LEFT, x2: width - RIGHT, y1: y(panel.baseline), y2: y(panel.baseline), class: "baseline" }),
    path && draw("path", { d: path + tail, class: "line" }),
    panel.points.map(([index, value, isTest]) => (isTest
      ? draw("path", { d: `M${x(index)} ${y(value) - 5}l5 5l-5 5l-5 -5z`, class: "test" })
      : draw("circle", { cx: x(index), cy: y(value), r: 3, class: value === within(value) ? "dot" : "beyond" }))));
}

// The first point and the last of each column of pixels: more cannot be seen of thousands.
function thinned(line, x) {
  return line.filter(([index], place) => !place || place + 1 === line.length || Math.floor(x(index)) !== Math.floor(x(line[place + 1][0])));
}

// What is far worse than the baseline stands at the edge: else all that counts would be flat.
function withoutOutliers(panel, low, high) {
  const { baseline, goal } = panel;
  if (!goal || baseline === null || !Number.isFinite(baseline)) return [low, high];
  const gained = goal === "minimize" ? baseline - low : high - baseline;
  if (gained <= 0) return [low, high];
  return goal === "minimize" ? [low, Math.min(high, baseline + gained)] : [Math.max(low, baseline - gained), high];
}

function spoken(panels) {
  return panels.map((panel) => {
    const last = (panel.points.at(-1) ?? panel.line.at(-1))?.[1];
    return `${visible(panel.title)}: ${panel.format(last)} at the end`;
  }).join("; ");
}
