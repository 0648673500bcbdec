// Owns the timeline of a run: its steps in full, one below the other, one of them current.

import {el} from "./dom.js";
import {virtualList} from "./virtual.js";
import {guessHeight, stepAddress, stepCard} from "./step.js";

// The steps of `store` in `scroller`. `graph()` tells how they hang together; `onCurrent(index)` is
// told whenever another step is current, `onEnd(isThere)` when a person scrolls to or from the end.
export function timeline(app, scroller, { id, store, graph, onCurrent, onEnd }) {
  let current = 0;
  const view = {
    open: new Set(),
    current: () => current,
    count: () => store.count(),
    numberOf: (index) => store.short[index]?.step,
    address: (number) => stepAddress(id, number),
    image: (name) => app.source.image(id, name),
    go: (index) => go(index),
    redo: (index) => list.redo(index),
  };
  const make = (index) => {
    store.want(index);
    const found = graph();
    const place = { forks: found.forks(index), parent: found.parents[index], kept: found.kept[index] };
    return el("div", {}, stepCard(view, index, store.short[index], store.full(index), place));
  };
  const list = virtualList(scroller, {
    estimate: (index) => guessHeight(store.short[index]),
    make,
    onScroll: (index, isEnd) => {
      turn(index);
      onEnd(isEnd);
    },
  });
  const turn = (index) => {
    if (index === current) return;
    const before = current;
    current = index;
    for (const [each, on] of [[before, false], [index, true]]) {
      const card = list.item(each)?.firstElementChild;
      card?.classList.toggle("current", on);
      if (on) card?.setAttribute("aria-current", "step");
      else card?.removeAttribute("aria-current");
    }
    onCurrent(index);
  };
  const go = (index) => {
    const place = Math.max(0, Math.min(store.count() - 1, index));
    turn(place);
    list.show(place);
  };
  store.onFull = (from, to) => list.redo(from, to);
  return {
    go,
    by: (steps) => go(current + steps),
    resize: () => list.resize(store.count()),
    follow(on) {
      list.stick(on);
      if (on) turn(Math.max(0, store.count() - 1));
    },
    close: () => list.close(),
  };
}
