// Owns what a terminal would show of a text: colours as classes, carriage returns obeyed, every
// other escape left out, signs that hide or turn text shown by their number.

import {el, put} from "./dom.js";
import {coded} from "./text.js";

const PLAIN_STYLE = "";
const SPECIAL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
// Strings that a terminal swallows whole (OSC, DCS, APC, PM, SOS), control sequences, the rest.
const ESCAPE = /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])?|\x1b[ -/]*[0-~]?/y;
const HIDDEN = /[\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/u;
const HIDDEN_ALL = new RegExp(`(${HIDDEN.source})`, "gu");

// The lines of a text as a terminal would leave them: each a list of [class names, text].
export function screen(text) {
  const lines = [];
  let style = freshStyle();
  for (const line of text.split("\n")) {
    if (!SPECIAL.test(line)) {
      lines.push(line ? [[styleName(style), line]] : []);
    } else {
      const told = oneLine(line, style);
      style = told.style;
      lines.push(told.runs);
    }
  }
  return lines;
}

function oneLine(line, style) {
  const cells = [];
  let at = 0;
  let name = styleName(style);
  for (let place = 0; place < line.length; ) {
    const code = line.charCodeAt(place);
    if (code === 0x1b || (code >= 0x80 && code < 0xa0)) {
      ESCAPE.lastIndex = place;
      const found = ESCAPE.exec(line);
      place += found ? Math.max(1, found[0].length) : 1;
      if (found?.[2] === "m") {
        style = restyled(style, found[1]);
        name = styleName(style);
      } else if (found?.[2] === "K") {
        at = erase(cells, at, found[1]);
      }
    } else if (code === 0x0d) {
      at = 0;
      place += 1;
    } else if (code === 0x08) {
      at = Math.max(0, at - 1);
      place += 1;
    } else if ((code < 0x20 && code !== 0x09) || code === 0x7f) {
      place += 1;
    } else {
      const sign = String.fromCodePoint(line.codePointAt(place));
      cells[at] = [name, sign];
      at += 1;
      place += sign.length;
    }
  }
  return { style, runs: joined(cells) };
}

function erase(cells, at, how) {
  if (how === "" || how === "0") cells.length = Math.min(cells.length, at);
  else if (how === "2") cells.length = 0;
  else if (how === "1") for (let each = 0; each < at; each += 1) cells[each] = [PLAIN_STYLE, " "];
  // Where the line was cut the place remains: what comes next stands there, after blanks.
  for (let each = cells.length; each < at; each += 1) cells[each] = [PLAIN_STYLE, " "];
  return at;
}

function joined(cells) {
  const runs = [];
  for (const [name, sign] of cells) {
    const last = runs.at(-1);
    if (last && last[0] === name) last[1] += sign;
    else runs.push([name, sign]);
  }
  return runs;
}

function freshStyle() {
  return { fg: null, bg: null, flags: 0 };
}

const FLAGS = { 1: ["bold", 1], 2: ["dim", 2], 3: ["italic", 4], 4: ["under", 8], 7: ["turned", 16], 9: ["struck", 32] };
const ENDS = { 22: 3, 23: 4, 24: 8, 27: 16, 29: 32 };

function restyled(before, parameters) {
  const style = { ...before };
  const codes = parameters.split(/[;:]/).map((each) => (each === "" ? 0 : Number(each)));
  for (let place = 0; place < codes.length; place += 1) {
    const code = codes[place];
    if (code === 0) Object.assign(style, freshStyle());
    else if (FLAGS[code]) style.flags |= FLAGS[code][1];
    else if (ENDS[code]) style.flags &= ~ENDS[code];
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 90 && code <= 97) style.fg = code - 82;
    else if (code === 39) style.fg = null;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 100 && code <= 107) style.bg = code - 92;
    else if (code === 49) style.bg = null;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(place + 1));
      style[code === 38 ? "fg" : "bg"] = colour;
      place += used;
    }
  }
  return style;
}

const SIXTEEN = [
  [0, 0, 0], [205, 0, 0], [0, 205, 0], [205, 205, 0], [0, 0, 238], [205, 0, 205], [0, 205, 205],
  [229, 229, 229], [127, 127, 127], [255, 0, 0], [0, 255, 0], [255, 255, 0], [92, 92, 255],
  [255, 0, 255], [0, 255, 255], [255, 255, 255],
];

// The nearest of the sixteen colours that can be read on light and on dark.
function extended(codes) {
  if (codes[0] === 2) return [nearest(codes.slice(1, 4)), 4];
  if (codes[0] !== 5) return [null, 0];
  const number = codes[1] ?? 0;
  if (number < 16) return [number, 2];
  if (number >= 232) return [nearest(Array(3).fill(8 + 10 * (number - 232))), 2];
  const cube = [36, 6, 1].map((size) => Math.floor((number - 16) / size) % 6);
  return [nearest(cube.map((each) => (each ? 55 + 40 * each : 0))), 2];
}

function nearest(rgb) {
  const far = SIXTEEN.map((each) => each.reduce((sum, value, i) => sum + (value - (rgb[i] || 0)) ** 2, 0));
  return far.indexOf(Math.min(...far));
}

function styleName(style) {
  const names = [];
  if (style.fg !== null) names.push(`fg${style.fg}`);
  if (style.bg !== null) names.push(`bg${style.bg}`);
  for (const [name, bit] of Object.values(FLAGS)) if (style.flags & bit) names.push(name);
  return names.join(" ");
}

// Lines of a screen at the end of `host`, as text with spans.
export function putLines(host, lines) {
  lines.forEach((line, place) => {
    for (const [name, text] of line) {
      if (name) host.append(el("span", { class: name }, marked(text)));
      else put(host, [marked(text)]);
    }
    if (place + 1 < lines.length) host.append("\n");
  });
  return host;
}

// The text, with each sign that hides or turns it shown by its number.
export function marked(text) {
  if (!HIDDEN.test(text)) return text;
  return text.split(HIDDEN_ALL).map((piece) =>
    HIDDEN.test(piece) ? el("span", { class: "code-point" }, coded(piece)) : piece);
}
