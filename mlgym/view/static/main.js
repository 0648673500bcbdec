// Owns the page: which view an address means, the bar above it, what is said when nobody answers.

import {el, fill} from "./dom.js";
import {moment, visible} from "./text.js";
import {applyTheme, switchTheme} from "./looks.js";
import {openSource} from "./source.js";
import {openListing} from "./listing.js";
import {button} from "./widgets.js";
import {listenToKeys, showHelp} from "./keys.js";
import {showTable} from "./table.js";
import {showMatrix} from "./matrix.js";
import {showRun} from "./run.js";
import {showCompare} from "./compare.js";

start();

function start() {
  applyTheme();
  const main = el("main", { id: "main", tabindex: "-1" });
  const banner = el("div", { class: "banner", role: "alert", hidden: true }, el("i", { class: "spinner" }),
    "The server does not answer: has \u201cmlgym view\u201d ended? Trying again\u2026");
  const said = el("div", { class: "said", role: "status" });
  const source = openSource((there) => {
    banner.hidden = there;
  });
  const listing = source.live ? openListing(source) : { ready: async () => {}, colour: () => "" };
  const links = ["Runs", "Suite"].map((name) => el("a", { href: name === "Runs" ? "#/" : "#/suite" }, name));
  const app = appOf(source, listing, said);
  document.body.replaceChildren(el("a", { class: "skip", href: "#/", on: { click: (event) => (event.preventDefault(), main.focus()) } }, "Skip to the content"),
    el("nav", { class: "top", "aria-label": "Views" }, el("span", { class: "brand" }, "MLGym"),
      source.live ? links : el("span", { class: "faint" }, `exported ${moment(source.at)}`),
      el("span", { class: "spacer" }),
      button(el("i", { class: "moon", "aria-hidden": "true" }), () => switchTheme(), { class: "quiet icon", "aria-label": "Dark or light", title: "Dark or light (d)" }),
      button("?", () => showHelp(), { class: "quiet icon", "aria-label": "Keys", title: "Keys (?)" })),
    banner, main, said);

  let view = null;
  let shown = "";
  const turn = () => {
    const { name, ids, params } = placeOfHash(source);
    const what = JSON.stringify([name, ids]);
    // Another step of the same run needs no new view.
    if (what === shown && view?.turn) return view.turn(params);
    shown = what;
    view?.close();
    links.forEach((link) => link.toggleAttribute("aria-current", link.textContent.toLowerCase() === { table: "runs", suite: "suite" }[name]));
    const make = { table: () => showTable(app, main, params), suite: () => showMatrix(app, main, params),
      run: () => showRun(app, main, ids[0], params), compare: () => showCompare(app, main, ids, params) };
    view = make[name]();
    return undefined;
  };
  window.addEventListener("hashchange", turn);
  listenToKeys(() => view, {
    d: () => switchTheme(),
    "?": () => showHelp(),
    r: () => source.live && app.go("#/"),
    s: () => source.live && app.go("#/suite"),
  });
  if (source.live) listing.ready().catch(() => {});
  turn();
}

// What every view is given.
function appOf(source, listing, said) {
  let timer = 0;
  return {
    source,
    listing,
    go: (hash) => location.assign(hash),
    title: (text) => {
      document.title = `${visible(text)} \u00b7 MLGym`;
    },
    // Other parameters in the address of the same view, without a step back to the former.
    amend(params) {
      const text = String(params);
      const path = location.hash.split("?")[0] || "#/";
      const hash = text ? `${path}?${text}` : path;
      try {
        if (hash !== location.hash) history.replaceState(null, "", hash);
      } catch {
        // A browser that finds it too often, or a file where it is not granted: links are enough.
      }
    },
    say(text) {
      clearTimeout(timer);
      fill(said, text);
      timer = setTimeout(() => fill(said), 6000);
    },
    // When a view could first be seen, for who measures.
    mark: (name) => requestAnimationFrame(() => setTimeout(() => performance.mark(`mlgym-${name}`))),
  };
}

// What the address asks for. An export knows one run only.
function placeOfHash(source) {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const params = new URLSearchParams(query ?? "");
  if (!source.live) return { name: "run", ids: [source.only], params };
  const [name, ...ids] = path.split("/").map(decoded);
  if (name === "run" && ids[0]) return { name, ids: ids.slice(0, 1), params };
  if (name === "compare" && ids[0] && ids[1]) return { name, ids: ids.slice(0, 2), params };
  return { name: name === "suite" ? "suite" : "table", ids: [], params };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
