// A list of rows of one height, of which those in sight are elements.

import { el } from "./dom.js";

const MARGIN = 8; // rows beyond each edge

/**
 * Shows any number of items.
 *
 * `draw(item)` returns the element inside a row, which gets the focus; `key(item)` tells items
 * apart, and an item that changed is another object. The height of a row is the CSS variable
 * `--row` of the list.
 */
export class WindowedList {
  constructor({ draw, key, label, onSelect = () => {} }) {
    this.draw = draw;
    this.key = key;
    this.onSelect = onSelect;
    this.items = [];
    this.selected = null; // a key
    this.drawn = new Map(); // by key: { item, row }
    this.room = el("ul", { class: "room", role: "list", "aria-label": label });
    this.element = el("div", { class: "windowed" }, this.room);
    this.element.addEventListener("scroll", () => this.schedule(), { passive: true });
    this.room.addEventListener("focusin", (event) => this.#focused(event));
    this.rowHeight = 36;
    this.watch = new ResizeObserver(() => this.#measure());
    this.watch.observe(this.element);
  }

  destroy() {
    this.watch.disconnect();
  }

  /** Show other items; what is in sight stays where it is. */
  setItems(items) {
    const anchor = this.element.scrollTop > 0 ? this.#topItem() : null;
    this.items = items;
    this.room.style.height = `${items.length * this.rowHeight}px`; // else scrolling ends too soon
    if (anchor) {
      const at = items.findIndex((item) => this.key(item) === anchor.key);
      if (at >= 0) this.element.scrollTop = at * this.rowHeight + anchor.offset;
    }
    this.render();
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  render() {
    const height = this.rowHeight;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / height) - MARGIN);
    const last = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / height) + MARGIN);
    this.room.style.height = `${this.items.length * height}px`; // which changes with the screen's width
    const seen = new Set();
    for (let index = first; index < last; index += 1) seen.add(this.#place(index, height));
    for (const [key, { row }] of this.drawn) {
      if (seen.has(key)) continue;
      row.remove();
      this.drawn.delete(key);
    }
  }

  /** Select the item at an index, bring it into sight, and focus it. */
  select(index, { focus = true } = {}) {
    if (!this.items.length) return;
    const at = Math.max(0, Math.min(this.items.length - 1, index));
    const item = this.items[at];
    this.selected = this.key(item);
    this.reveal(at);
    this.render();
    for (const [key, { row }] of this.drawn) mark(row, key === this.selected);
    if (focus) this.drawn.get(this.selected)?.row.firstChild.focus({ preventScroll: true });
    this.onSelect(item);
  }

  /** Select the next item, or the one before. */
  step(by) {
    const at = this.items.findIndex((item) => this.key(item) === this.selected);
    this.select(at < 0 ? 0 : at + by);
  }

  /** Scroll as little as needed to see the item at an index. */
  reveal(index) {
    const height = this.rowHeight;
    const { scrollTop, clientHeight } = this.element;
    const top = index * height;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + height > scrollTop + clientHeight)
      this.element.scrollTop = top + height - clientHeight;
  }

  /** Put the row of an index where it belongs, drawn anew if its item changed; return its key. */
  #place(index, height) {
    const item = this.items[index];
    const key = this.key(item);
    let entry = this.drawn.get(key);
    if (!entry) {
      entry = { item, row: el("li", {}, this.draw(item)) };
      this.drawn.set(key, entry);
      this.room.append(entry.row);
    } else if (entry.item !== item) {
      const hadFocus = entry.row.contains(document.activeElement);
      entry.row.replaceChildren(this.draw(item));
      if (hadFocus) entry.row.firstChild.focus({ preventScroll: true });
      entry.item = item;
    }
    entry.row.style.transform = `translateY(${index * height}px)`;
    entry.row.setAttribute("aria-posinset", index + 1);
    entry.row.setAttribute("aria-setsize", this.items.length);
    mark(entry.row, key === this.selected);
    return key;
  }

  /** Ask for the height of rows, which the width of the screen may change. */
  #measure() {
    const height = getComputedStyle(this.element).getPropertyValue("--row");
    this.rowHeight = Number.parseFloat(height) || this.rowHeight;
    this.render();
  }

  #topItem() {
    const height = this.rowHeight;
    const item = this.items[Math.floor(this.element.scrollTop / height)];
    return item && { key: this.key(item), offset: this.element.scrollTop % height };
  }

  #focused(event) {
    for (const [key, { row }] of this.drawn) {
      const isIt = row.contains(event.target);
      if (isIt) this.selected = key;
      mark(row, isIt);
    }
  }
}

function mark(row, isSelected) {
  row.classList.toggle("selected", isSelected);
}
