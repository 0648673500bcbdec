// Owns where data comes from: the server of this page, or the page itself where it is an export.

import {part} from "./text.js";

const LONGEST_WAIT = 5000;

// What the server said instead of an answer, in a sentence.
class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

// The source of this page. `onReach` is told whether the server answers, each time it may change.
export function openSource(onReach) {
  const kept = document.getElementById("mlgym-data");
  return kept ? keptSource(JSON.parse(kept.textContent)) : liveSource(onReach);
}

function liveSource(onReach) {
  const ask = (address, alive = () => true) => answer(address, alive, onReach);
  return {
    live: true,
    runs: (alive) => ask("/api/runs", alive).then((told) => ({
      root: told.root,
      columns: told.columns,
      version: told.version,
      rows: told.rows.map((row) => asRow(told.columns, row)),
    })),
    suites: () => ask("/api/suites").then((told) => told.suites),
    run: (id, alive) => ask(`/api/run?id=${part(id)}`, alive),
    steps: (id, from, to, alive) =>
      ask(`/api/steps?id=${part(id)}&from=${from}&to=${to}`, alive).then((told) => told.steps),
    follow: (id, end, handlers) =>
      listen(() => `/api/follow?id=${part(id)}&end=${end()}`, handlers, onReach),
    followRuns: (since, handlers) => listen(() => `/api/follow-runs?since=${since()}`, handlers, onReach),
    image: (id, name) => `/api/image?id=${part(id)}&name=${part(name)}`,
    exportOf: (id) => `/export?id=${part(id)}`,
  };
}

function keptSource(kept) {
  const nothing = () => () => {};
  return {
    live: false,
    only: kept.run.id,
    at: kept.exported_at,
    run: async () => kept.run,
    steps: async (_, from, to) => kept.steps.slice(from, to),
    follow: nothing,
    followRuns: nothing,
    image: (_, name) => {
      const found = Object.hasOwn(kept.images, name) ? kept.images[name] : "";
      return found.startsWith("data:image/") ? found : null;
    },
    exportOf: () => null,
  };
}

// A row of the table as an object.
export function asRow(columns, values) {
  // Thousands of them: a plain loop takes a fifth of what pairs would.
  const row = {};
  for (let place = 0; place < columns.length; place += 1) row[columns[place]] = values[place];
  return row;
}

// An answer as JSON. Where nobody answers it is asked for again, for as long as it is wanted.
async function answer(address, alive, onReach) {
  for (let wait = 500; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    try {
      const told = await fetch(address, { credentials: "same-origin" });
      const found = await told.json().catch(() => null);
      onReach(true);
      if (told.ok && found) return found;
      throw new Refused(told.status, found?.error ?? `The server answered ${told.status}.`);
    } catch (error) {
      if (error instanceof Refused) throw error;
      onReach(false);
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!alive()) return new Promise(() => {});
    }
  }
}

// Events of the server, again and again from where they broke off, while this page can be seen:
// a browser grants one server few connections, for all of its tabs together. Returns how to stop.
function listen(address, handlers, onReach) {
  let stream = null;
  let timer = 0;
  let failures = 0;
  let closed = false;
  const stop = () => {
    clearTimeout(timer);
    stream?.close();
    stream = null;
  };
  const open = () => {
    stop();
    if (closed || document.hidden) return;
    stream = new EventSource(address());
    stream.addEventListener("open", () => {
      failures = 0;
      onReach(true);
    });
    stream.addEventListener("error", () => {
      stop();
      failures += 1;
      timer = setTimeout(open, Math.min(300 * 2 ** failures, LONGEST_WAIT));
      // A stream that ends once is no news: only who does not answer at all is gone.
      if (failures > 1) isThere().then((there) => closed || onReach(there));
    });
    for (const [kind, handler] of Object.entries(handlers)) {
      stream.addEventListener(kind, (event) => handler(JSON.parse(event.data)));
    }
  };
  document.addEventListener("visibilitychange", open);
  open();
  return () => {
    closed = true;
    document.removeEventListener("visibilitychange", open);
    stop();
  };
}

function isThere() {
  return fetch("/", { method: "HEAD" }).then(() => true, () => false);
}
