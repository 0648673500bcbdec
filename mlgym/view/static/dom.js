// Owns how elements come to be: text enters as text nodes only, links stay on this page.
// Everything shown comes from trajectories, which nobody trusts: no markup is ever parsed.

const ATTRIBUTES = new Set([
  "class", "id", "role", "tabindex", "title", "type", "value", "placeholder", "for", "name",
  "hidden", "disabled", "checked", "open", "download", "alt", "width", "height", "scope",
  "autocomplete", "spellcheck", "loading", "decoding",
]);
const OURS = /^(#\/|\/export\?id=)/;

// An element with `props` (attributes, `on` for listeners) and children; null ones are left out.
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [kind, listener] of Object.entries(value)) made.addEventListener(kind, listener);
    } else if (name === "href") {
      if (!OURS.test(value)) throw new Error("a link that leads elsewhere");
      made.setAttribute("href", value);
    } else if (ATTRIBUTES.has(name) || name.startsWith("aria-") || name.startsWith("data-")) {
      made.setAttribute(name, value === true ? "" : String(value));
    } else {
      throw new Error(`no attribute of ours: ${name}`);
    }
  }
  put(made, children);
  return made;
}

// Children at the end of `host`: nodes as they are, all else as text.
export function put(host, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    host.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

// The children of `host`, replaced.
export function fill(host, ...children) {
  host.replaceChildren();
  put(host, children);
  return host;
}

const DRAWN = new Set([
  "class", "viewBox", "width", "height", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "d",
  "points", "text-anchor", "role", "aria-label", "aria-hidden", "preserveAspectRatio", "transform",
]);

// The same for what is drawn.
export function draw(tag, props = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) {
    if (!DRAWN.has(name)) throw new Error(`nothing is drawn with ${name}`);
    made.setAttribute(name, String(value));
  }
  put(made, children);
  return made;
}
