// A summary for each function, of the invocations that are kept.

import { el, icon, svg } from "./dom.js";
import { duration, whole } from "./format.js";
import { listen } from "./live.js";

const COLUMNS = ["Function", "Trigger", "Count", "Errors", "p50", "p95", "p99", "Longest", "Spread"];

/** Make the view of all functions. */
export function functionsView(app) {
  const body = el("tbody");
  const note = el("p", { class: "note", hidden: true }, "No function has been called yet.");
  const links = () => [...body.querySelectorAll("a")];
  listen("trace=none", {
    rows: ({ counts }) => app.counts(counts),
    functions: (summaries) => {
      const longest = Math.max(1, ...summaries.map((each) => each.p99_us ?? 0));
      const focused = document.activeElement?.dataset?.function;
      body.replaceChildren(...summaries.map((each) => drawFunction(each, longest)));
      if (focused) links().find((link) => link.dataset.function === focused)?.focus();
      note.hidden = summaries.length > 0;
    },
  });
  return {
    title: "functions",
    element: el(
      "section",
      { class: "functions", "aria-label": "Functions" },
      el("h1", { class: "unseen" }, "Functions"),
      el("table", {}, el("thead", {}, el("tr", {}, ...COLUMNS.map((name) => el("th", { scope: "col" }, name)))), body),
      note,
    ),
    onKey(event) {
      const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
      if (!by) return false;
      const all = links();
      const at = all.indexOf(document.activeElement);
      all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
      return true;
    },
    destroy() {},
  };
}

function drawFunction(each, longest) {
  const href = `/?${new URLSearchParams({ function: each.function })}`;
  const cell = (label, ...content) => el("td", { "data-label": label }, ...content);
  return el(
    "tr",
    { class: each.errors ? "error" : undefined },
    el("th", { scope: "row" }, el("a", { href, "data-function": each.function }, each.function || "(no name)")),
    cell("Trigger", each.trigger),
    cell("Count", whole(each.count), each.running ? el("small", {}, ` ${each.running} running`) : null),
    cell("Errors", ...errors(each)),
    cell("p50", duration(each.p50_us)),
    cell("p95", duration(each.p95_us)),
    cell("p99", duration(each.p99_us)),
    cell("Longest", duration(each.max_us)),
    el("td", { class: "spread" }, spread(each, longest)),
  );
}

function errors(each) {
  if (!each.errors) return ["0"];
  const share = Math.max(1, Math.round((100 * each.errors) / each.count));
  const href = `/?${new URLSearchParams({ function: each.function, status: "error" })}`;
  return [el("a", { class: "failure", href }, icon("error"), ` ${whole(each.errors)} `, el("small", {}, `${share} %`))];
}

/** Draw p50 to p99 on one scale for all functions: logarithmic, as durations are far apart. */
function spread({ p50_us: p50, p95_us: p95, p99_us: p99 }, longest) {
  if (p50 === null) return "";
  const at = (us) => (100 * Math.log(1 + us)) / Math.log(1 + longest);
  return svg(
    "svg",
    { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { d: `M${at(p50)} 5H${at(p99)}`, class: "range" }),
    svg("path", { d: `M${at(p50)} 1.5V8.5`, class: "middle" }),
    svg("path", { d: `M${at(p95)} 3V7`, class: "tail" }),
  );
}
