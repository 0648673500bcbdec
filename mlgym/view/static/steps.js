// Owns what is known of one run's steps: all in short, those asked for in full.

const CHUNK = 40;

// The steps of a run as `told` by the source; `onFull(from, to)` is called when some came in full.
export function stepStore(source, id, told, alive) {
  const short = [...told];
  const full = [];
  const asked = new Map();
  const load = (chunk) => {
    if (!asked.has(chunk)) {
      const from = chunk * CHUNK;
      const to = Math.min(short.length, from + CHUNK);
      asked.set(chunk, source.steps(id, from, to, alive).then((found) => {
        found.forEach((step, place) => {
          full[from + place] = step;
        });
        // The newest may not have been whole yet: it is asked for again.
        if (found.length < CHUNK) asked.delete(chunk);
        store.onFull(from, from + found.length);
      }, (error) => {
        asked.delete(chunk);
        store.onFail(error);
      }));
    }
    return asked.get(chunk);
  };
  const store = {
    onFull: () => {},
    onFail: () => {},
    short,
    count: () => short.length,
    full: (index) => full[index] ?? null,
    // Ask for a step, if it is not here, and with it those around.
    want: (index) => full[index] || load(Math.floor(index / CHUNK)),
    // A step in full, however long it takes; null where it cannot be had.
    async whole(index) {
      if (!full[index]) await load(Math.floor(index / CHUNK));
      return full[index] ?? null;
    },
    // Steps that came while the run is followed. Returns whether any is new.
    add(from, found) {
      found.forEach((step, place) => {
        short[from + place] = step;
      });
      return found.length > 0;
    },
  };
  return store;
}

// The place of a step by its number, the first if there are several; -1 where it is none.
export function placeOf(short, number) {
  return short[number]?.step === number ? number : short.findIndex((step) => step.step === number);
}
