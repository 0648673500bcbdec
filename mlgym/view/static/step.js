// Owns how one step looks: thought, action, what changed in files, observation, image, numbers.

import {el} from "./dom.js";
import {brief, money, many, moment, numeric, part, reward, seconds, visible, whole} from "./text.js";
import {putLines, screen} from "./terminal.js";
import {button, chip} from "./widgets.js";

const HEAD = 14;
const TAIL = 10;
const WIDEST = 6000;

// A step as an article. `view` has `image(name)`, `open` (a Set of what was unfolded), `redo(index)`,
// `address(step)`, `go(index)`; `place` has `forks` and `parent` (index). `full` is null until it is
// here: then the short form says what it can.
export function stepCard(view, index, short, full, place) {
  const step = full ?? short;
  const current = view.current() === index;
  return el("article", {
    class: `step ${current ? "current" : ""} ${place.kept ? "" : "left"} ${step.tool === "reset" ? "reset" : ""}`,
    "aria-current": current ? "step" : null, "aria-posinset": index + 1, "aria-setsize": view.count(),
    "aria-label": `Step ${step.step}`, "data-index": index,
  }, heading(view, index, step, place), el("div", { class: "step-body" }, full ? bodyOf(view, index, full) : shortBody(short)));
}

function heading(view, index, step, place) {
  const cost = step.usage?.cost_usd;
  const exit = step.exit_code;
  return el("header", {},
    el("a", { class: "number", href: view.address(step.step), title: "Link to this step" }, whole(step.step)),
    chip(step.tool === "reset" ? "task" : visible(step.tool || "?"), "tool"),
    place.forks && button(["\u21b3 from step ", whole(view.numberOf(place.parent))], () => view.go(place.parent), { class: "fork", title: "This step does not follow the one above" }),
    typeof exit === "number" && chip(`exit ${exit}`, exit ? "bad" : "faint"),
    Object.entries(step.metrics ?? {}).map(([name, value]) => chip([`${visible(name)} `, el("b", {}, brief(numeric(value)))], "metric")),
    step.terminated && chip("end", "flag", "The episode ended here"),
    step.truncated && chip("cut off", "flag", "The episode was ended from outside"),
    el("span", { class: "spacer" }),
    Boolean(numeric(step.reward)) && el("span", { class: `reward ${numeric(step.reward) < 0 ? "below" : ""}`, title: "Reward" }, reward(numeric(step.reward))),
    typeof cost === "number" && cost > 0 && el("span", { class: "faint", title: tokens(step.usage) }, money(cost)),
    step.duration_s >= 0.0005 && el("span", { class: "faint", title: step.time ? moment(step.time, true) : null }, seconds(step.duration_s)));
}

function tokens(usage) {
  return `${many(usage.calls ?? 0, "call")}: ${whole(usage.input_tokens)} tokens in (${whole(usage.cached_tokens)} cached), ${whole(usage.output_tokens)} out`;
}

function bodyOf(view, index, step) {
  const diffs = step.diff ?? [];
  return [
    step.problem && el("p", { class: "problem" }, visible(step.problem)),
    step.thought && el("div", { class: "thought" }, textBlock(view, `${index}.thought`, step.thought, "prose")),
    step.action !== null && !diffs.length && el("div", { class: "action" }, textBlock(view, `${index}.action`, step.action, "action-text")),
    diffs.map((diff, place) => diffBlock(view, `${index}.diff.${place}`, diff)),
    step.observation
      ? el("div", { class: "observation" }, textBlock(view, `${index}.observation`, step.observation, step.tool === "reset" ? "brief" : "output", diffs.length ? [1, 0, 0] : undefined),
        step.cut > 0 && el("p", { class: "faint" }, `${many(step.cut, "character")} in the middle are left out here.`))
      : step.action !== null && el("p", { class: "faint nothing" }, "no output"),
    step.image && imageBlock(view, step.image),
  ];
}

// What is known before the whole step is here.
function shortBody(short) {
  return [
    short.problem && el("p", { class: "problem" }, visible(short.problem)),
    short.thought && el("div", { class: "thought" }, el("pre", { class: "prose" }, visible(short.thought))),
    short.action && el("div", { class: "action" }, el("pre", { class: "action-text" }, visible(short.action))),
    short.size > 0 && el("div", { class: "observation waiting", "aria-busy": "true" }, "\u2026"),
  ];
}

// A text as a terminal would show it; the middle of a long one is folded.
function textBlock(view, key, text, kind, [head, tail, spare] = [HEAD, TAIL, 3]) {
  const lines = screen(text.endsWith("\n") ? text.slice(0, -1) : text);
  const pre = (part) => putLines(el("pre", { class: kind, tabindex: null }), part);
  const isLong = lines.length > head + tail + spare;
  const isWide = text.length > WIDEST;
  if (!isLong && !isWide) return pre(lines);
  const unfolded = view.open.has(key);
  const flip = () => {
    if (!view.open.delete(key)) view.open.add(key);
    view.redo(stepOfKey(key));
  };
  const label = `${many(lines.length, "line")}, ${many(text.length, "character")}`;
  if (unfolded) return [pre(lines), button(`Fold (${label})`, flip, { class: "fold" })];
  const first = shortened(lines.slice(0, isLong ? head : lines.length), WIDEST / 2);
  const last = isLong && tail ? shortened(lines.slice(-tail), WIDEST / 2) : [];
  return el("div", { class: "folded" }, pre(first),
    button(isLong ? `\u22ef ${many(lines.length - head - tail, "more line")} \u22ef` : `\u22ef all of it: ${label}`, flip, { class: "fold", "aria-expanded": "false" }),
    last.length > 0 && pre(last));
}

function stepOfKey(key) {
  return Number(key.split(".")[0]);
}

// Lines with at most so many signs in all.
function shortened(lines, most) {
  let room = most;
  const kept = [];
  for (const line of lines) {
    if (room <= 0) break;
    kept.push(line.map(([name, text]) => {
      const piece = text.slice(0, Math.max(0, room));
      room -= text.length;
      return [name, piece.length < text.length ? `${piece}\u2026` : piece];
    }).filter(([, text]) => text));
  }
  return kept;
}

const SIGNS = { "+": "added", "-": "removed", "@": "hunk" };

function diffBlock(view, key, diff) {
  const all = diff.lines;
  const most = 2 * HEAD + TAIL;
  const unfolded = view.open.has(key) || all.length <= most + 3;
  const flip = () => {
    if (!view.open.delete(key)) view.open.add(key);
    view.redo(stepOfKey(key));
  };
  const [added, removed] = ["+", "-"].map((sign) => all.filter((line) => line[0] === sign).length);
  const rows = (unfolded ? all : all.slice(0, most)).map(([sign, text]) =>
    el("div", { class: `line ${SIGNS[sign] ?? ""}` }, el("span", { class: "sign" }, sign === "@" ? "" : sign),
      putLines(el("span", { class: "line-text" }), screen(text.length > WIDEST ? `${text.slice(0, WIDEST)}\u2026` : text))));
  return el("figure", { class: "diff" },
    el("figcaption", {}, el("bdi", { class: "path" }, visible(diff.path)), el("span", { class: "plus" }, `+${added}`), el("span", { class: "minus" }, `\u2212${removed}`)),
    el("div", { class: "diff-lines" }, rows),
    all.length > most + 3 && button(unfolded ? "Fold" : `\u22ef ${many(all.length - most, "more line")} \u22ef`, flip, { class: "fold" }));
}

function imageBlock(view, name) {
  const address = view.image(name);
  if (!address) return el("p", { class: "faint" }, "The image is not there.");
  // Only here is something loaded by an address: this server's, or data of an export.
  const image = el("img", { class: "seen", alt: "An image that the agent looked at", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(el("p", { class: "faint" }, "The image cannot be shown.")));
  image.src = address;
  return el("figure", { class: "image" }, image);
}

// A guess of a step's height in pixels, until it has been measured.
export function guessHeight(short) {
  const lines = Math.min(HEAD + TAIL + 2, Math.ceil((short.size ?? 0) / 70));
  return 70 + 18 * lines + (short.thought ? 40 : 0) + (short.image ? 240 : 0);
}

// The address of a step of a run.
export function stepAddress(id, number) {
  return `#/run/${part(id)}?step=${number}`;
}
