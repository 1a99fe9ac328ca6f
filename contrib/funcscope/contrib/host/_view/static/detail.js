// What is known of one request, span or log record.

import { el } from "./dom.js";
import { clock, duration, moment, text } from "./format.js";

/** Draw all that is known of a node of a trace's tree. */
export function detail(node, trace, tree) {
  const parts = { request: ofRequest, span: ofSpan, log: ofLog }[node.kind](node.of, trace, tree);
  return el("div", { class: "detail-of" }, ...parts.filter(Boolean));
}

function ofRequest(row) {
  return [
    el("h2", {}, row.title),
    facts([
      ["made by", "the host"],
      ["result", row.result || "running"],
      ["duration", duration(row.duration_us) || "running"],
      ["started", time(row.start_us)],
      ["function", row.function],
      ["trigger", row.trigger],
      ["invocation", row.id],
      ["span", row.request_span],
    ]),
  ];
}

function ofSpan(span, trace, tree) {
  return [
    el("h2", {}, span.name),
    span.status === "ERROR" && el("p", { class: "failure" }, failure(span)),
    facts([
      ["kind", span.kind.toLowerCase()],
      ["duration", duration(span.duration_us)],
      ["started", `${duration(span.start_us - tree.from) || "0"} after the trace`],
      ["at", time(span.start_us)],
      ["status", span.status === "UNSET" ? "" : span.status.toLowerCase()],
      ["scope", span.scope],
      ["trace", span.trace === trace.id ? "" : span.trace],
      ["span", span.id],
      ["trace state", span.state],
    ]),
    section("Attributes", table(span.attributes)),
    section("Events", ...span.events.map((event) => drawEvent(event, span))),
    section("Links", ...span.links.map((link) => drawLink(link, trace))),
    resource(span, trace),
  ];
}

function ofLog(log, trace, tree) {
  return [
    el("h2", {}, log.severity || "Log record"),
    el("pre", { class: "body" }, text(log.body ?? log.event)),
    facts([
      ["logged", `${duration(log.time_us - tree.from) || "0"} after the trace`],
      ["at", time(log.time_us)],
      ["event", log.event],
      ["logger", log.scope],
      ["span", log.span],
    ]),
    section("Attributes", table(log.attributes)),
    resource(log, trace),
  ];
}

function failure(span) {
  const exception = span.events.find((event) => event.name === "exception");
  const kind = exception?.attributes["exception.type"] ?? span.attributes["error.type"] ?? "error";
  const message = exception?.attributes["exception.message"] ?? span.message;
  return message ? `${kind}: ${message}` : String(kind);
}

function drawEvent(event, span) {
  const after = duration(Math.max(0, event.time_us - span.start_us));
  return el("div", { class: "event-of" }, el("h4", {}, event.name, el("small", {}, ` after ${after || "0"}`)), table(event.attributes));
}

function drawLink(link, trace) {
  const isKnown = trace.known.includes(link.trace) || link.trace === trace.id;
  const name = el("code", {}, link.trace);
  return el(
    "div",
    { class: "link-of" },
    isKnown
      ? el("a", { href: `/trace/${link.trace}?span=${link.span}` }, "Open trace ", name)
      : el("span", {}, name, " (not here)"),
    table(link.attributes),
  );
}

function resource(of, trace) {
  const attributes = trace.resources[of.resource] ?? {};
  if (!Object.keys(attributes).length) return null;
  return el("details", {}, el("summary", {}, "Resource"), table(attributes));
}

function section(title, ...content) {
  const filled = content.filter(Boolean);
  return filled.length ? el("section", {}, el("h3", {}, title), ...filled) : null;
}

function facts(pairs) {
  const filled = pairs.filter(([, value]) => value);
  return el("dl", { class: "facts-of" }, ...filled.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** Draw attributes by name; texts of several lines, such as stack traces, keep them. */
function table(attributes) {
  const names = Object.keys(attributes).sort();
  if (!names.length) return null;
  return el("table", {}, el("tbody", {}, ...names.map((name) => drawAttribute(name, text(attributes[name])))));
}

function drawAttribute(name, value) {
  const isLong = value.includes("\n");
  return el("tr", { class: isLong ? "long" : undefined }, el("th", { scope: "row" }, name), el("td", {}, isLong ? el("pre", { tabindex: 0 }, value) : value));
}

function time(us) {
  return el("time", { datetime: moment(us), title: moment(us) }, clock(us));
}
