// One trace: a waterfall, and the details of what is selected in it.

import { detail } from "./detail.js";
import { el, icon, svg, unseen } from "./dom.js";
import { clock, duration, moment, oneLine, several, whole } from "./format.js";
import { listen } from "./live.js";
import { grow } from "./tree.js";
import { WindowedList } from "./windowed.js";

const TICKS = 4;
const PAUSE_MS = 150;

/** Make the view of a trace; `query` may name the span to select. */
export function traceView(app, id, query) {
  const closed = new Set(); // keys of nodes whose children are hidden
  let tree = null;
  let trace = null;
  let loading = false;
  let isStale = false; // something came while it was loading
  let naming = 0;
  let namedAt = 0;
  const list = new WindowedList({ draw: drawRow, key: (node) => node.key, label: "Spans and log records", onSelect });
  const heading = el("header", { class: "trace-head" });
  const axis = el("div", { class: "axis", "aria-hidden": "true" });
  const side = el("aside", { class: "detail", "aria-label": "Details", hidden: true });
  const waterfall = el("div", { class: "waterfall" }, axis, list.element);
  const element = el("article", { class: "trace", "aria-label": "Trace" }, heading, el("div", { class: "panes" }, waterfall, side));

  async function load() {
    isStale = true;
    if (loading) return;
    loading = true;
    try {
      while (isStale) {
        isStale = false;
        const answer = await fetch(`/api/traces/${encodeURIComponent(id)}`);
        if (answer.ok) draw(await answer.json());
        else if (!trace) heading.replaceChildren(missing(id));
      }
    } catch {
      // The host went away: the page says so where it says `live`.
    } finally {
      loading = false;
    }
  }

  function draw(received) {
    const isFirst = !trace;
    trace = received;
    tree = grow(trace);
    heading.replaceChildren(...drawHead(trace, tree));
    axis.replaceChildren(el("div", {}, ...ticks(tree)));
    list.setItems(visible());
    const at = list.items.findIndex((node) => node.key === (isFirst ? query.get("span") : list.selected));
    if (isFirst) list.select(Math.max(0, at), { focus: true });
    else if (at >= 0) onSelect(list.items[at]);
  }

  /** List the nodes that are below no closed one. */
  function visible() {
    const hidden = new Set();
    return tree.rows.filter((node) => {
      const isHidden = node.parent && (hidden.has(node.parent) || closed.has(node.parent.key));
      if (isHidden) hidden.add(node);
      return !isHidden;
    });
  }

  function fold(isClosed) {
    const node = tree?.nodes.get(list.selected);
    if (!node?.children.length) return false;
    if (isClosed) closed.add(node.key);
    else closed.delete(node.key);
    list.drawn.get(node.key).item = null; // its sign changes
    list.setItems(visible());
    return true;
  }

  function onSelect(node) {
    side.hidden = false;
    side.replaceChildren(detail(node, trace, tree));
    // At once, but while a key is held down: browsers stop a page that names itself too often.
    clearTimeout(naming);
    naming = setTimeout(name, performance.now() - namedAt > PAUSE_MS ? 0 : PAUSE_MS, node.key);
  }

  function name(key) {
    namedAt = performance.now();
    app.replace(`/trace/${id}?span=${encodeURIComponent(key)}`);
  }

  function drawRow(node) {
    const isFolded = closed.has(node.key);
    const what = el("span", { class: "what" }, ...nodeName(node, isFolded));
    what.style.paddingInlineStart = `${Math.min(node.depth, 24) * 14}px`;
    const row = el(
      "button",
      { type: "button", class: `row ${node.kind} ${tone(node)}`, onclick: () => select(node) },
      what,
      el("span", { class: "lane" }, ...lane(node, tree)),
    );
    return row;
  }

  function select(node) {
    if (list.selected === node.key && node.children.length && !side.hidden) {
      fold(!closed.has(node.key));
      return;
    }
    list.select(list.items.findIndex((each) => each.key === node.key));
  }

  listen(`trace=${encodeURIComponent(id)}`, { rows: load });
  load();
  return {
    title: `trace ${id.slice(0, 8)}`,
    element,
    onKey(event) {
      if (event.key === "j" || event.key === "ArrowDown") list.step(1);
      else if (event.key === "k" || event.key === "ArrowUp") list.step(-1);
      else if (event.key === "h" || event.key === "ArrowLeft") return fold(true);
      else if (event.key === "l" || event.key === "ArrowRight") return fold(false);
      else return false;
      return true;
    },
    destroy() {
      clearTimeout(naming);
      list.destroy();
    },
  };
}

function missing(id) {
  return el(
    "p",
    { class: "note" },
    el("b", {}, `Trace ${id} is not here. `),
    "It has not come, it had to make room for newer ones, or the host has been started anew. ",
    el("a", { href: "/" }, "All invocations"),
  );
}

function drawHead(trace, tree) {
  const [first] = [...trace.rows].sort((a, b) => a.start_us - b.start_us);
  const root = tree.rows[0]?.of ?? {};
  const isFailed = trace.rows.some((row) => row.status === "error") || trace.spans.some((s) => s.status === "ERROR");
  const status = isFailed ? "error" : first?.status ?? "ok";
  const counts = [several(trace.spans.length, "span"), several(trace.logs.length, "log record")];
  if (trace.left_out) counts.push(`${whole(trace.left_out)} more that were too many to keep`);
  const facts = [
    el("span", { class: `verdict ${status}` }, icon(status), status === "unfinished" ? "no end" : status),
    el("span", {}, duration(tree.to - tree.from)),
    el("time", { datetime: moment(tree.from) }, clock(tree.from)),
    el("span", {}, counts.join(", ")),
    el("code", { class: "id" }, trace.id),
    copyButton(trace.id),
  ];
  return [
    el("a", { class: "back", href: "/" }, "← Invocations"),
    el("h1", {}, first?.title || root.name || trace.id),
    el("p", { class: "facts" }, ...facts),
    ...linkedFrom(trace.linked_from),
  ];
}

function linkedFrom(links) {
  if (!links.length) return [];
  const anchors = links.slice(0, 20).flatMap(({ trace, span }) => [
    " ",
    el("a", { href: `/trace/${trace}?span=${span}` }, el("code", {}, trace.slice(0, 8))),
  ]);
  return [el("p", { class: "links" }, "Linked from", ...anchors)];
}

function copyButton(text) {
  const button = el("button", { type: "button", class: "quiet" }, "Copy id");
  button.addEventListener("click", async () => {
    const copied = navigator.clipboard.writeText(text);
    button.textContent = await copied.then(() => "Copied", () => "Not allowed");
  });
  return button;
}

function ticks(tree) {
  return Array.from({ length: TICKS }, (_, n) => {
    const tick = el("span", {}, n ? duration(((tree.to - tree.from) * n) / TICKS) : "0");
    tick.style.left = `${(100 * n) / TICKS}%`;
    return tick;
  });
}

function tone(node) {
  if (node.kind === "request") return node.of.status;
  if (node.kind === "span") return node.of.status === "ERROR" ? "error" : "ok";
  return node.of.number >= 17 ? "error" : node.of.number >= 13 ? "warn" : "info";
}

function nodeName(node, isFolded) {
  const { of } = node;
  const parts = [el("span", { class: "twist", "aria-hidden": "true" }, node.children.length ? (isFolded ? "▸" : "▾") : "")];
  if (node.kind === "log") {
    parts.push(el("span", { class: "level" }, of.severity || "LOG"), el("span", { class: "text" }, oneLine(of.body || of.event)));
    return parts;
  }
  if (tone(node) === "error") parts.push(icon("error"), unseen("error: "));
  const name = node.kind === "request" ? of.title : of.name;
  parts.push(el("span", { class: "text" }, el("b", {}, name)));
  if (node.kind === "request") parts.push(el("span", { class: "chip" }, of.result || "running"));
  if (of.cold && node.kind === "request") parts.push(el("span", { class: "chip cold" }, "cold start"));
  if (node.kind === "span" && of.links.length) parts.push(el("span", { class: "chip" }, several(of.links.length, "link")));
  return parts;
}

/** Draw a node on the time line: a bar with its duration and its events, or a log record's mark. */
function lane(node, tree) {
  const share = (us) => (100 * (us - tree.from)) / (tree.to - tree.from);
  if (node.kind === "log") {
    const mark = el("span", { class: "mark" });
    mark.style.left = `${share(node.start)}%`;
    return [mark];
  }
  const bar = el("span", { class: "bar-of" });
  const left = share(node.start);
  const width = share(node.end) - left;
  bar.style.left = `${left}%`;
  bar.style.width = `${width}%`;
  const label = el("span", { class: "took" }, node.of.duration_us === null ? "running" : duration(node.end - node.start));
  if (left + width < 75) label.style.left = `${left + width}%`;
  else if (left > 25) label.style.right = `${100 - left}%`;
  else {
    label.style.right = `${Math.max(0, 100 - left - width)}%`;
    label.classList.add("inside");
  }
  return [bar, label, ...(node.of.events ?? []).slice(0, 100).map((event) => eventMark(event, share))];
}

function eventMark(event, share) {
  const mark = svg("svg", { viewBox: "0 0 8 8", class: "event", "aria-hidden": "true" }, svg("path", { d: "M4 0l4 4-4 4-4-4z" }), svg("title", {}, event.name));
  mark.style.left = `${Math.max(0, Math.min(100, share(event.time_us)))}%`;
  return mark;
}
