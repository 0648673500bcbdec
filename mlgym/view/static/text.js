// Owns how values read as text: numbers, times, money, and names that may hold anything.

const UNSEEN = "\u2013";
const MINUS = "\u2212";
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]/gu;

// A name on one line: what would hide, turn or break it is shown by its number.
export function visible(text) {
  const whole = String(text ?? "");
  return whole.replace(CONTROL, (sign) => (sign === "\n" || sign === "\t" ? " " : coded(sign)));
}

// How a sign that cannot be seen is shown.
export function coded(sign) {
  return `\u27e8U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

// A value of a JSON file that should be a number: texts stand for what JSON cannot hold.
export function numeric(value) {
  if (typeof value === "number") return value;
  const special = { inf: Infinity, "-inf": -Infinity, nan: NaN };
  return typeof value === "string" && value in special ? special[value] : null;
}

function signed(text) {
  return text.startsWith("-") ? MINUS + text.slice(1) : text;
}

// A number with so many decimals; a dash for what is unknown.
export function fixed(value, decimals) {
  if (typeof value !== "number") return UNSEEN;
  if (!Number.isFinite(value)) return signed(String(value).replace("Infinity", "\u221e"));
  return signed(value.toFixed(decimals));
}

// A number as short as five digits allow.
export function brief(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return fixed(value, 0);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return whole(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return signed(value.toExponential(2));
  return signed(String(Number(value.toPrecision(5))));
}

// A measured value: four digits, so that points stand below each other.
export function measured(value) {
  const size = Math.abs(value);
  if (typeof value !== "number" || !Number.isFinite(value) || size >= 1e4 || size < 1e-3) return brief(value);
  return signed(value.toPrecision(4));
}

// A count, thousands apart.
export function whole(value) {
  if (typeof value !== "number") return UNSEEN;
  return signed(String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f"));
}

// A reward with its sign.
export function reward(value) {
  if (typeof value !== "number") return UNSEEN;
  const text = fixed(value, 3);
  return value > 0 ? `+${text}` : text;
}

export function money(value) {
  if (typeof value !== "number") return UNSEEN;
  return `$${value.toFixed(value >= 1 || value === 0 ? 2 : 4)}`;
}

export function seconds(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return UNSEEN;
  if (value < 0.001) return "0 ms";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 100) return `${value.toFixed(1)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 100) return `${minutes} m ${pad(Math.floor(value % 60))} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
}

function pad(value) {
  return String(value).padStart(2, "0");
}

// A moment in this place's time: an ISO text, or seconds since 1970.
export function moment(value, withSeconds = false) {
  const date = new Date(typeof value === "number" ? value * 1000 : value ?? NaN);
  if (Number.isNaN(date.getTime())) return UNSEEN;
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  return `${day} ${time}${withSeconds ? `:${pad(date.getSeconds())}` : ""}`;
}

// A state or reason as words.
export function words(name) {
  return visible(name ?? UNSEEN).replaceAll("_", " ");
}

// So many of something.
export function many(count, one, others = `${one}s`) {
  return `${whole(count)} ${count === 1 ? one : others}`;
}

// A part of an address, whatever the text holds.
export function part(text) {
  try {
    return encodeURIComponent(text);
  } catch {
    return encodeURIComponent(String(text).replace(/[\ud800-\udfff]/g, "\ufffd"));
  }
}
