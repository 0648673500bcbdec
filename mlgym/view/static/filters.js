// Owns which runs are shown and in which order, and how an address tells it.

import {playerOf} from "./looks.js";

// What rows can be chosen by; all but `q` must be equal.
export const CHOICES = ["task", "agent", "model", "status", "profile", "data_seed"];
const collator = new Intl.Collator("en", { numeric: true });

export function readFilter(params) {
  const filter = { q: params.get("q") ?? "", sort: params.get("sort") ?? "-started_at" };
  for (const name of CHOICES) filter[name] = params.get(name) ?? "";
  return filter;
}

export function writeFilter(filter) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    if (value && !(name === "sort" && value === "-started_at")) params.set(name, value);
  }
  return params;
}

// The rows that fit; with `but`, as if nothing were chosen there.
export function fitting(rows, filter, but = null) {
  const wanted = CHOICES.filter((name) => filter[name] && name !== but);
  const terms = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    for (const name of wanted) if (chosenValue(row, name) !== filter[name]) return false;
    if (!terms.length) return true;
    const text = haystack(row);
    return terms.every((term) => text.includes(term));
  });
}

// A row's value as a choice, and so an address, has it: a run without a model is chosen by its agent.
function chosenValue(row, name) {
  return String((name === "model" ? playerOf(row) : row[name]) ?? "").toWellFormed();
}

const HAY = Symbol("what a search looks in");
function haystack(row) {
  row[HAY] ??= [row.id, row.task, row.agent, row.model, row.status, row.exit_reason, row.profile, row.problem]
    .filter(Boolean).join("\n").toLowerCase();
  return row[HAY];
}

// How many rows there are of each value, by value.
export function counted(rows, name) {
  const counts = new Map();
  for (const row of rows) {
    const value = chosenValue(row, name);
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort((one, other) => collator.compare(one[0], other[0]));
}

// The rows by a column, `-name` for falling; what is unknown comes last both ways.
export function ordered(rows, sort) {
  const falls = sort.startsWith("-");
  const name = falls ? sort.slice(1) : sort;
  const sign = falls ? -1 : 1;
  const value = name === "model" ? playerOf : (row) => row[name];
  const tie = (one, other) => collator.compare(one.id, other.id);
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    const unknown = Number(a === null || a === undefined || a === "") - Number(b === null || b === undefined || b === "");
    if (unknown) return unknown;
    if (typeof a === "number" && typeof b === "number") return sign * (a - b) || tie(one, other);
    if (name === "started_at") return sign * (a < b ? -1 : a > b ? 1 : 0) || tie(one, other);
    return sign * collator.compare(a ?? "", b ?? "") || tie(one, other);
  });
}
