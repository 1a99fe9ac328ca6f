// The frame around the views: addresses, keys, theme.

import { el } from "./dom.js";
import { bytes, several } from "./format.js";
import { functionsView } from "./functions.js";
import { listView } from "./list.js";
import { metricsView } from "./metrics.js";
import { traceView } from "./trace.js";

const main = document.getElementById("main");
const keys = document.getElementById("keys");
let view = null;
let cameFromList = false;

const app = {
  /** Go to an address of this page. */
  go(address) {
    cameFromList = location.pathname === "/";
    history.pushState(null, "", address);
    show();
  },
  /** Change the address without another view. */
  replace(address) {
    history.replaceState(history.state, "", address);
  },
  /** Go to the list, as it was if this came from there. */
  back() {
    if (cameFromList) history.back();
    else app.go("/");
  },
  counts(counts) {
    const parts = [`${several(counts.invocations, "invocation")} in ${several(counts.traces, "trace")}`];
    parts.push(bytes(counts.bytes));
    if (counts.gone) parts.push(`${several(counts.gone, "older trace")} gone`);
    if (counts.loose) parts.push(`${several(counts.loose, "log record")} outside of traces not kept`);
    document.getElementById("counts").textContent = parts.join(" · ");
  },
};

function make(path, query) {
  const trace = /^\/trace\/([^/]+)$/.exec(path);
  if (trace) return traceView(app, decodeURIComponent(trace[1]), query);
  if (path === "/functions") return functionsView(app);
  if (path === "/metrics") return metricsView(app);
  return listView(app, query);
}

function show() {
  view?.destroy();
  view = make(location.pathname, new URLSearchParams(location.search));
  main.replaceChildren(view.element);
  document.title = `${view.title} · funcscope`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  view.shown?.();
}

function isPlain(event) {
  return !(event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || link.origin !== location.origin || event.button || event.shiftKey || !isPlain(event)) return;
  event.preventDefault();
  app.go(link.pathname + link.search);
});

addEventListener("popstate", () => {
  cameFromList = false;
  show();
});

document.addEventListener("keydown", (event) => {
  if (!isPlain(event) || keys.open) return;
  const isTyping = event.target.matches?.("input, select, textarea");
  if (isTyping && event.key === "Escape") event.target.blur();
  else if (isTyping) return;
  else if (!view.onKey(event) && !onKey(event.key)) return;
  event.preventDefault();
});

function onKey(key) {
  const addresses = { 1: "/", 2: "/functions", 3: "/metrics" };
  if (addresses[key]) app.go(addresses[key]);
  else if (key === "?") keys.showModal();
  else if (key === "t") nextTheme();
  else if (key === "Escape" && location.pathname !== "/") app.back();
  else return false;
  return true;
}

const themes = ["", "dark", "light"];
const themeNames = { "": "auto", dark: "dark", light: "light" };

function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "";
  const button = document.getElementById("theme");
  button.textContent = themeNames[theme];
  button.setAttribute("aria-label", `Theme: ${themeNames[theme]}`);
}

function nextTheme() {
  const root = document.documentElement;
  const next = themes[(themes.indexOf(root.dataset.theme ?? "") + 1) % themes.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  localStorage.setItem("theme", next);
  showTheme();
}

document.getElementById("theme").addEventListener("click", nextTheme);
document.getElementById("help").addEventListener("click", () => keys.showModal());
document.getElementById("clear").addEventListener("click", async () => {
  await fetch("/api/traces", { method: "DELETE" }).catch(() => {}); // `not connected` stands above
  show();
});

const about = await (await fetch("/api/about")).json();
document.getElementById("app").append(
  ...(about.app ? [about.app] : [el("span", {}, `OTLP/HTTP on ${about.receiver ?? ""}`)]),
);
showTheme();
show();
