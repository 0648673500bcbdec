// Owns where two runs part: the first step at which action or observation is not the same.

// Whether two steps in short can be the same; where they can not, nothing more need be read.
function mayBeSame(one, other) {
  return one.action === other.action && one.size === other.size && one.tool === other.tool;
}

// What differs between two steps in full, by name; empty where nothing does that counts. Times,
// thoughts and costs may differ: `mlgym runs diff` looks at the same.
export function differing(one, other) {
  return ["action", "observation"].filter((name) => (one?.[name] ?? null) !== (other?.[name] ?? null));
}

// The index of the first difference of two stores, and its names; null where they are the same.
// Where one has ended and the other goes on, that is where they part.
export const firstDifference = async (one, other, alive) => {
  const both = Math.min(one.count(), other.count());
  let bound = 0;
  while (bound < both && mayBeSame(one.short[bound], other.short[bound])) bound += 1;
  for (let index = 0; index < bound; index += 1) {
    const [first, second] = await Promise.all([one.whole(index), other.whole(index)]);
    if (!alive()) return null;
    const names = differing(first, second);
    if (names.length) return { index, names };
  }
  if (bound < both) {
    const [first, second] = await Promise.all([one.whole(bound), other.whole(bound)]);
    const names = differing(first, second);
    return { index: bound, names: names.length ? names : ["tool"] };
  }
  return one.count() === other.count() ? null : { index: both, names: ["length"] };
};

// The fields of two records that differ, as [dotted name, one, other].
export function differingFields(one, other, names) {
  const found = [];
  const look = (a, b, name) => {
    const nested = [a, b].every((each) => each !== null && typeof each === "object");
    if (!nested) {
      if (JSON.stringify(a ?? null) !== JSON.stringify(b ?? null)) found.push([name, a ?? null, b ?? null]);
      return;
    }
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) look(a[key], b[key], `${name}.${key}`);
  };
  for (const name of names) look(one?.[name], other?.[name], name);
  return found.filter(([name]) => name !== "config.out");
}
