// Owns how things are told apart by sight: a colour for each model, as in reports, light and dark.

// Those of the reports' figures, which people who see few colours can tell apart.
const COLOURS = 7;

// The class that colours each model: by its place among all of them, sorted.
export function modelClasses(rows) {
  const names = [...new Set(rows.map(playerOf))].sort();
  return new Map(names.map((name, place) => [name, `colour${place % COLOURS}`]));
}

// Who played: the model, or the agent where there is none.
export function playerOf(row) {
  return row.model ?? row.agent ?? "";
}

const THEME = "mlgym-theme";

// Light or dark as chosen before, else as the system has it.
export function applyTheme() {
  const chosen = remembered();
  if (chosen) document.documentElement.dataset.theme = chosen;
}

// The other of light and dark from now on. Returns its name.
export function switchTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const now = document.documentElement.dataset.theme ?? system;
  const other = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = other;
  try {
    localStorage.setItem(THEME, other);
  } catch {
    // An export in a file may have no storage: the choice lasts as long as the page.
  }
  return other;
}

function remembered() {
  try {
    const found = localStorage.getItem(THEME);
    return found === "dark" || found === "light" ? found : null;
  } catch {
    return null;
  }
}
