// Elements. Texts become text nodes, and never markup: telemetry is what strangers send.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Make an element: `el("a", { href: "/" }, "home")`; `onclick` and its like are listeners. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an element of an SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

const PATHS = {
  ok: "M4.5 8.3l2.4 2.4 4.6-5",
  error: "M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6",
  running: "M8 4.6V8l2.3 1.6",
  unfinished: "M4.8 8h.01M8 8h.01M11.2 8h.01",
};

/** Draw the sign of a status. It is for the eye alone: a word stands beside it. */
export function icon(status) {
  return svg(
    "svg",
    { viewBox: "0 0 16 16", class: `icon ${status}`, "aria-hidden": "true" },
    svg("circle", { cx: 8, cy: 8, r: 6.9 }),
    svg("path", { d: PATHS[status] ?? PATHS.unfinished }),
  );
}

/** Make a text that is read out and not seen. */
export function unseen(text) {
  return el("span", { class: "unseen" }, text);
}
