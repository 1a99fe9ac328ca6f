// The live list of invocations, and its filters.

import { el, icon, unseen } from "./dom.js";
import { clock, duration, moment } from "./format.js";
import { listen } from "./live.js";
import { WindowedList } from "./windowed.js";

const STATUS = { error: "error", ok: "ok", running: "running", unfinished: "no end" };
const FIELDS = ["text", "function", "status", "min_ms", "max_ms"];

/** What was selected and in sight, for whoever comes back. */
let remembered = null;

/** Make the view of the list; `app` has `replace(address)` and `counts(counts)`. */
export function listView(app, query) {
  const rows = new Map();
  let items = [];
  let total = 0;
  const list = new WindowedList({ draw: drawRow, key: (row) => row.id, label: "Invocations" });
  const note = el("p", { class: "note" });
  const form = filterForm(query, changeFilter);

  function changeFilter() {
    const next = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (String(value).trim()) next.set(name, String(value).trim());
    }
    const address = next.size ? `/?${next}` : "/";
    app.replace(address);
    open(next);
  }

  function take({ is_whole: isWhole, rows: changed, gone, counts }) {
    if (isWhole) rows.clear();
    for (const id of gone) rows.delete(id);
    for (const row of changed) rows.set(row.id, row);
    items = [...rows.values()].sort((a, b) => b.start_us - a.start_us);
    total = counts.invocations;
    list.setItems(items);
    app.counts(counts);
    explain();
    recall();
  }

  function explain() {
    note.hidden = items.length > 0;
    note.textContent = total
      ? "No invocation is like that."
      : "No invocation yet: call a function, and it appears here.";
  }

  function recall() {
    if (!remembered || remembered.query !== String(query) || !items.length) return;
    list.element.scrollTop = remembered.scrollTop;
    const at = items.findIndex((row) => row.id === remembered.selected);
    remembered = null;
    if (at >= 0) list.select(at);
  }

  function open(next) {
    query = next;
    form.classList.toggle("narrowed", next.size > 0);
    listen(String(next), { rows: take, functions: (all) => fillFunctions(form, all) });
  }

  open(query);
  return {
    title: "invocations",
    element: el("section", { class: "list", "aria-label": "Invocations" }, el("h1", { class: "unseen" }, "Invocations"), form, head(), list.element, note),
    onKey(event) {
      if (event.key === "j" || event.key === "ArrowDown") list.step(1);
      else if (event.key === "k" || event.key === "ArrowUp") list.step(-1);
      else if (event.key === "/") form.elements.text.focus();
      else if (event.key === "Escape" && query.size) {
        form.reset();
        for (const name of FIELDS) form.elements[name].value = "";
        changeFilter();
      } else return false;
      return true;
    },
    destroy() {
      remembered = {
        query: String(query),
        selected: list.selected,
        scrollTop: list.element.scrollTop,
      };
      list.destroy();
    },
  };
}

function head() {
  const names = ["Status", "Time", "Invocation", "Function", "Trigger", "Duration"];
  return el("div", { class: "row head", "aria-hidden": "true" }, ...names.map((n) => el("span", {}, n)));
}

function drawRow(row) {
  const word = STATUS[row.status] ?? row.status;
  const result = ["", "succeeded", "failed"].includes(row.result) ? "" : ` ${row.result}`;
  const title = el("span", { class: "title" }, el("b", {}, row.title || row.function || row.id));
  if (row.cold) title.append(el("span", { class: "chip cold" }, "cold start"));
  if (row.error_logs && row.status !== "error") {
    title.append(el("span", { class: "chip warn" }, `${row.error_logs} logged`));
  }
  if (row.error) title.append(el("span", { class: "why" }, row.error));
  return el(
    "a",
    { class: `row ${row.status}`, href: address(row) },
    el("span", { class: "status" }, icon(row.status), el("span", {}, word, result)),
    el("time", { datetime: moment(row.start_us), title: moment(row.start_us) }, clock(row.start_us)),
    title,
    el("span", { class: "function" }, row.function),
    el("span", { class: "trigger" }, row.trigger),
    el("span", { class: "duration" }, duration(row.duration_us) || unseen("running")),
  );
}

function address(row) {
  const span = row.span || row.request_span;
  return `/trace/${row.trace}${span ? `?span=${span}` : ""}`;
}

function filterForm(query, onChange) {
  const field = (label, input) => el("label", {}, el("span", {}, label), input);
  const bound = (name, label) =>
    el("input", { name, type: "number", min: 0, step: "any", inputmode: "decimal", placeholder: `${label} ms` });
  const form = el(
    "form",
    { class: "filters", role: "search" },
    field("Search", el("input", {
      name: "text",
      type: "search",
      placeholder: "name, attribute, log, id",
      autocomplete: "off",
    })),
    field("Function", el("select", { name: "function" }, el("option", { value: "" }, "all functions"))),
    field("Status", el("select", { name: "status" }, el("option", { value: "" }, "any status"),
      ...Object.entries(STATUS).map(([value, word]) => el("option", { value }, word)))),
    field("From", bound("min_ms", "from")),
    field("To", bound("max_ms", "to")),
  );
  const chosen = query.get("function");
  if (chosen) form.elements.function.append(el("option", { value: chosen }, chosen));
  for (const name of FIELDS) form.elements[name].value = query.get(name) ?? "";
  let timer = 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, 150);
  });
  return form;
}

/** Offer the functions that there are, without touching a choice under way. */
function fillFunctions(form, summaries) {
  const select = form.elements.function;
  const offered = new Set([...select.options].map((option) => option.value));
  for (const { function: name } of summaries) {
    if (name && !offered.has(name)) select.append(el("option", { value: name }, name));
  }
}
