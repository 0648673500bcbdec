// Owns the rows of all runs, as the server told them last.

import {asRow} from "./source.js";
import {modelClasses} from "./looks.js";

// The listing of a source. Rows are read on the first call of `ready`, then kept up to date for as
// long as somebody watches.
export function openListing(source) {
  const byId = new Map();
  const listeners = new Set();
  let root = "";
  let columns = [];
  let version = 0; // of the server's table: what has changed since comes with the next event
  let reading = null;
  let stop = null;
  let colours = new Map();
  const take = (told) => {
    byId.clear();
    ({ root, columns, version } = told);
    for (const row of told.rows) byId.set(row.id, row);
    colours = modelClasses(told.rows);
  };
  const change = ({ rows, gone, version: at }) => {
    version = at;
    for (const id of gone ?? []) byId.delete(id);
    for (const values of rows ?? []) {
      const row = Array.isArray(values) ? asRow(columns, values) : values;
      byId.set(row.id, row);
    }
    colours = modelClasses([...byId.values()]);
    for (const listener of [...listeners]) listener();
  };
  return {
    ready: () => (reading ??= source.runs().then(take).catch((error) => {
      reading = null;
      throw error;
    })),
    rows: () => [...byId.values()],
    row: (id) => byId.get(id) ?? null,
    root: () => root,
    colour: (player) => colours.get(player) ?? "",
    watch(listener) {
      listeners.add(listener);
      if (!stop) {
        // What changed while nobody watched comes with the first event.
        stop = source.followRuns(() => version, { rows: change });
      }
      return () => {
        listeners.delete(listener);
        if (!listeners.size) {
          stop?.();
          stop = null;
        }
      };
    },
  };
}
