// Metrics as small plots, one for each series.

import { el, svg } from "./dom.js";
import { clock, measure, whole } from "./format.js";
import { listen } from "./live.js";

const WIDTH = 240;
const HEIGHT = 48;
const PAUSE_MS = 1000;

/** Make the view of all metrics. */
export function metricsView(app) {
  const cards = el("div", { class: "cards" });
  const note = el("p", { class: "note", hidden: true });
  const search = el("input", { type: "search", placeholder: "name or attribute", autocomplete: "off" });
  let series = [];
  let timer = 0;

  async function load() {
    timer = 0;
    const answer = await fetch("/api/metrics").catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    ({ series } = told);
    draw(told.left_out);
  }

  function draw(leftOut = 0) {
    const text = search.value.trim().toLowerCase();
    const shown = series.filter(({ of }) => !text || JSON.stringify(of).toLowerCase().includes(text));
    cards.replaceChildren(...[...byName(shown)].map(([name, group]) => drawMetric(name, group)));
    note.hidden = shown.length > 0 && !leftOut;
    note.textContent = leftOut
      ? `${whole(leftOut)} series were too many, or too long, to keep.`
      : series.length ? "No metric is like that." : "No metric yet: they come when the app exports some, each minute or so.";
  }

  search.addEventListener("input", () => draw());
  listen("trace=none", {
    rows: ({ counts }) => app.counts(counts),
    metrics: () => { timer ||= setTimeout(load, series.length ? PAUSE_MS : 0); },
  });
  load();
  return {
    title: "metrics",
    element: el("section", { class: "metrics", "aria-label": "Metrics" },
      el("h1", { class: "unseen" }, "Metrics"),
      el("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() }, el("label", {}, el("span", {}, "Search"), search)),
      note, cards),
    onKey(event) {
      if (event.key !== "/") return false;
      search.focus();
      return true;
    },
    destroy: () => clearTimeout(timer),
  };
}

function byName(series) {
  const groups = new Map();
  for (const each of series) {
    if (!groups.has(each.of.name)) groups.set(each.of.name, []);
    groups.get(each.of.name).push(each);
  }
  return groups;
}

function drawMetric(name, group) {
  const unit = group[0].of.unit.replace(/^\{(.*)\}$/, "$1");
  return el("section", { class: "card" },
    el("h2", {}, name, " ", el("small", {}, [group[0].of.kind.replace("_", " "), unit].filter((s) => s && s !== "1").join(", "))),
    ...group.map((each) => drawSeries(each, telling(group))));
}

/** List the attributes that tell the series of a metric apart; all of them for a single one. */
function telling(group) {
  const all = [...new Set(group.flatMap(({ of }) => Object.keys(of.attributes)))];
  const differing = all.filter((key) => new Set(group.map(({ of }) => String(of.attributes[key]))).size > 1);
  return differing.length ? differing : all;
}

function drawSeries({ of, points }, keys) {
  const values = read(of, points);
  const [, value, note] = values.at(-1) ?? [0, 0, ""];
  const pairs = keys.filter((key) => key in of.attributes).map((key) => `${key}=${of.attributes[key]}`);
  const label = pairs.join(" ") || of.service;
  const short = pairs.map((pair) => pair.replace(/^[^=]*\.(?=[^.=]*=)/, "")).join(" ") || of.service;
  const shown = measure(value, of.unit);
  return el("figure", {},
    el("figcaption", { title: label }, short),
    plot(values, of.unit, `${label}: ${shown} ${note}`),
    el("output", {}, shown, note && el("small", {}, note)));
}

/**
 * Return what to plot: `[ms, value, note]`.
 *
 * A histogram is its mean between two reports; a sum is its total.
 */
function read({ kind, temporality }, points) {
  if (kind === "gauge") return points.map(([at, value]) => [at, value, ""]);
  const isDelta = temporality === "DELTA";
  let sum = 0;
  let count = 0;
  const read = [];
  for (const [at, value, number] of points) {
    if (typeof value !== "number") continue;
    if (kind === "sum") {
      sum = isDelta ? sum + value : value;
      read.push([at, sum, ""]);
      continue;
    }
    const isNew = isDelta || number < count; // a process that started anew counts from 0
    const [addedSum, addedCount] = isNew ? [value, number] : [value - sum, number - count];
    [sum, count] = isDelta ? [0, 0] : [value, number];
    if (addedCount > 0) read.push([at, addedSum / addedCount, `mean of ${whole(addedCount)}`]);
  }
  return read;
}

function plot(values, unit, label) {
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, preserveAspectRatio: "none" });
  if (!values.length) return drawing;
  const times = values.map(([at]) => at);
  const heights = values.map(([, value]) => Number(value));
  const [low, high] = [Math.min(0, ...heights), Math.max(...heights)];
  const x = (at) => 4 + ((WIDTH - 8) * (at - times[0])) / (times.at(-1) - times[0] || 1);
  const y = (value) => HEIGHT - 4 - ((HEIGHT - 8) * (value - low)) / (high - low || 1);
  const line = values.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
  drawing.append(svg("path", { class: "base", d: `M0 ${y(0)}H${WIDTH}` }), svg("path", { class: "curve", d: `M${line.join("L")}` }));
  const [lastAt, lastValue] = values.at(-1);
  drawing.append(svg("path", { class: "last", d: `M${x(lastAt)} ${y(lastValue)}h0.01` }, svg("title", {}, `${measure(lastValue, unit)} at ${clock(lastAt * 1000)}`)));
  return drawing;
}
