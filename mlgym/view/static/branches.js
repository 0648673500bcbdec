// Owns how steps hang together: which lane each stands in, and which led to the end.

const MOST_LANES = 7;

// The lanes of steps by their parents: a step that follows another's end goes on in its lane, any
// other begins one. Returns, by index: `lane`, `parent` (index or null), `kept` (it led to the last
// step), `forks` (its parent is not the step before); and `lanes`, how many there are at once.
export function lanesOf(steps) {
  const indexOf = new Map();
  const branches = [];
  const branchOf = [];
  const parents = [];
  const tips = new Map();
  steps.forEach((step, index) => {
    const parent = index === 0 ? null : indexOf.get(step.parent ?? steps[index - 1].step) ?? null;
    let branch = parent === null ? undefined : tips.get(parent);
    if (branch === undefined) {
      branch = branches.length;
      branches.push({ from: parent ?? index, first: index, last: index, lane: 0 });
    } else {
      tips.delete(parent);
      branches[branch].last = index;
    }
    tips.set(index, branch);
    branchOf.push(branch);
    parents.push(parent);
    indexOf.set(step.step, index);
  });
  const ends = [];
  for (const branch of [...branches].sort((one, other) => one.from - other.from || one.first - other.first)) {
    const free = ends.findIndex((end) => end < branch.from);
    branch.lane = free < 0 ? ends.length : free;
    ends[branch.lane] = branch.last;
  }
  const kept = new Array(steps.length).fill(false);
  for (let index = steps.length - 1; index >= 0 && index !== null && !kept[index]; index = parents[index] ?? -1) {
    kept[index] = true;
  }
  return {
    branches,
    parents,
    kept,
    lane: (index) => branches[branchOf[index]].lane % MOST_LANES,
    branch: (index) => branchOf[index],
    forks: (index) => index > 0 && parents[index] !== null && parents[index] !== index - 1,
    lanes: Math.min(MOST_LANES, Math.max(1, ends.length)),
  };
}

// The lanes that pass through a row: [lane, from above, to below, the lane it comes out of].
export function through(graph, index) {
  const found = [];
  for (const branch of graph.branches) {
    if (branch.from > index || branch.last < index) continue;
    const lane = branch.lane % MOST_LANES;
    const begins = branch.from === index && branch.first !== index;
    const source = begins ? graph.lane(index) : null;
    found.push([lane, branch.from < index, branch.last > index, source]);
  }
  return found;
}
