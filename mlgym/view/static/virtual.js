// Owns long lists: only what can be seen is in the document, whatever the heights.

import {el} from "./dom.js";

const OVERSCAN = 400;

// A list in `scroller`. `estimate(index)` is a height in pixels, `make(index)` an element; with
// `fixed` heights are as estimated. `onScroll(index)` is told what stands at the top when a person
// has scrolled.
export function virtualList(scroller, { estimate, make, fixed = false, onScroll = () => {} }) {
  const inner = el("div", { class: "virtual" });
  const shown = new Map();
  const measured = new Map();
  let count = 0;
  let offsets = new Float64Array(1);
  let stale = 0;
  let anchor = { index: 0, delta: 0 };
  let wanted = 0;
  let stuck = false;
  let frame = 0;
  scroller.append(inner);

  const heightOf = (index) => (fixed ? undefined : measured.get(index)) ?? estimate(index);
  const layOut = () => {
    if (offsets.length < count + 1) {
      const more = new Float64Array(Math.max(count + 1, 2 * offsets.length));
      more.set(offsets);
      offsets = more;
    }
    for (let index = stale; index < count; index += 1) {
      offsets[index + 1] = offsets[index] + heightOf(index);
    }
    stale = count;
    inner.style.height = `${offsets[count]}px`;
  };
  const indexAt = (place) => {
    let low = 0;
    let high = Math.max(0, count - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (offsets[middle] <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const restore = () => {
    const most = Math.max(0, offsets[count] - scroller.clientHeight);
    const place = stuck ? most : Math.min(most, offsets[anchor.index] + anchor.delta);
    wanted = Math.max(0, Math.round(place));
    if (Math.abs(scroller.scrollTop - wanted) >= 1) scroller.scrollTop = wanted;
  };
  const paint = () => {
    frame = 0;
    const top = scroller.scrollTop;
    const first = count ? indexAt(Math.max(0, top - OVERSCAN)) : 0;
    const last = count ? indexAt(top + scroller.clientHeight + OVERSCAN) : -1;
    for (const [index, item] of shown) {
      if (index < first || index > last) {
        if (item.contains(document.activeElement)) scroller.focus({ preventScroll: true });
        drop(index);
      }
    }
    for (let index = first; index <= last; index += 1) {
      let item = shown.get(index);
      if (!item) {
        item = make(index);
        item.classList.add("virtual-item");
        shown.set(index, item);
        // In their order, so that keyboard and screen readers go through them as they stand.
        inner.insertBefore(item, nextShown(index));
        observer?.observe(item);
      }
      item.style.transform = `translateY(${offsets[index]}px)`;
      if (fixed) item.style.height = `${estimate(index)}px`;
    }
  };
  const nextShown = (index) => {
    let next = null;
    let found = Infinity;
    for (const [other, item] of shown) {
      if (other > index && other < found) [found, next] = [other, item];
    }
    return next;
  };
  const refresh = () => {
    layOut();
    restore();
    paint();
  };
  const soon = () => {
    frame ||= requestAnimationFrame(paint);
  };
  const measure = () => {
    let changed = Infinity;
    for (const [index, item] of shown) {
      const height = item.offsetHeight;
      if (height && height !== measured.get(index)) {
        measured.set(index, height);
        changed = Math.min(changed, index);
      }
    }
    if (changed === Infinity) return;
    stale = Math.min(stale, changed);
    refresh();
  };
  const observer = fixed ? null : new ResizeObserver(measure);
  const sized = new ResizeObserver(() => {
    restore();
    paint();
    if (!fixed) measure();
  });
  sized.observe(scroller);
  scroller.addEventListener("scroll", () => {
    const top = scroller.scrollTop;
    if (Math.abs(top - wanted) > 1) {
      wanted = top;
      const index = indexAt(top);
      anchor = { index, delta: top - offsets[index] };
      stuck = false;
      onScroll(index, top + scroller.clientHeight >= offsets[count] - 8);
    }
    soon();
  }, { passive: true });

  const drop = (index) => {
    const item = shown.get(index);
    if (!item) return;
    observer?.unobserve(item);
    item.remove();
    shown.delete(index);
  };
  return {
    // How many there are now; what stands there stays unless `anew`.
    resize(fresh, anew = false) {
      if (anew) {
        for (const index of [...shown.keys()]) drop(index);
        measured.clear();
        stale = 0;
      }
      for (const index of [...shown.keys()]) if (index >= fresh) drop(index);
      stale = Math.min(stale, fresh, count);
      count = fresh;
      anchor.index = Math.max(0, Math.min(anchor.index, count - 1));
      refresh();
      if (!fixed) measure();
    },
    // Make those of an index anew that can be seen.
    redo(from, to = from + 1) {
      for (let index = from; index < to; index += 1) drop(index);
      paint();
      if (!fixed) measure();
    },
    // Bring an item to the top, or only into sight.
    show(index, onlyIntoSight = false) {
      if (index < 0 || index >= count) return;
      layOut();
      stuck = false;
      const top = scroller.scrollTop;
      if (onlyIntoSight) {
        const [start, end] = [offsets[index], offsets[index + 1]];
        if (start >= top && end <= top + scroller.clientHeight) return;
        const delta = start < top ? 0 : heightOf(index) - scroller.clientHeight;
        anchor = { index, delta: Math.min(0, delta) };
      } else {
        anchor = { index, delta: 0 };
      }
      restore();
      paint();
      if (!fixed) measure();
    },
    // Keep to the end, whatever comes.
    stick(on) {
      if (stuck && !on) {
        const index = indexAt(scroller.scrollTop);
        anchor = { index, delta: scroller.scrollTop - offsets[index] };
      }
      stuck = on;
      refresh();
    },
    item: (index) => shown.get(index) ?? null,
    shown: () => [...shown.keys()],
    close() {
      observer?.disconnect();
      sized.disconnect();
      cancelAnimationFrame(frame);
    },
  };
}
