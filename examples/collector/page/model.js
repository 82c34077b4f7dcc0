// What matches the filter, by number, time and level. The records themselves stay with the collector until they are seen.

const LEVELS = ["", "error", "warning", "info", "debug", "trace"];

const model = {
  // A column each, oldest first, of all that match by target, text and fields.
  ids: [],
  times: [],
  levels: [],
  // Indices of those that are shown: not hidden by level or time.
  shown: [],
  // How many there are of each level in the time that is shown.
  counts: [0, 0, 0, 0, 0, 0],
  hidden: new Set(),
  // Milliseconds, [from, to).
  range: null,
  // The last record that has been asked for.
  last: 0,

  reset(found) {
    this.ids = [];
    this.times = [];
    this.levels = [];
    this.last = 0;
    this.append(found);
  },

  append(found) {
    let id = 0;
    let time = 0;
    for (let at = 0; at < found.ids.length; at++) {
      id += found.ids[at];
      time += found.times[at];
      this.ids.push(id);
      this.times.push(time);
      this.levels.push(found.levels.charCodeAt(at) - 48);
    }
    this.last = Math.max(this.last, found.last);
    const gone = lowerBound(this.ids.length, (at) => this.ids[at] >= found.first);
    if (gone > 0) {
      this.ids.splice(0, gone);
      this.times.splice(0, gone);
      this.levels.splice(0, gone);
    }
    this.select();
  },

  select() {
    this.shown = [];
    this.counts.fill(0);
    for (let at = 0; at < this.ids.length; at++) {
      if (this.range && (this.times[at] < this.range[0] || this.times[at] >= this.range[1])) continue;
      const level = this.levels[at];
      this.counts[level]++;
      if (!this.hidden.has(level)) this.shown.push(at);
    }
  },

  // The first and the last moment of what matches.
  extent() {
    let [from, to] = [Infinity, -Infinity];
    for (const time of this.times) {
      if (time < from) from = time;
      if (time > to) to = time;
    }
    return from <= to ? [from, to + 1] : null;
  },
};

// The first of `length` places for which it holds, where it holds for all that follow.
function lowerBound(length, holds) {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const byId = (id) => document.getElementById(id);

// Text becomes a text node, here and everywhere: nothing that a record holds is ever read as markup.
function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Control characters as something that is seen, so that a line stays a line.
const visible = (text) => text.replace(/[\u0000-\u001f\u007f]/g, (c) => ({ "\n": "↵", "\t": "→", "\r": "" })[c] ?? "·");

const two = (number) => String(number).padStart(2, "0");

function clock(time, decimals) {
  const at = new Date(time);
  const text = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return decimals ? `${text}.${String(at.getMilliseconds()).padStart(3, "0")}` : text;
}

function day(time) {
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

const grouped = new Intl.NumberFormat("en");
const count = (number) => grouped.format(number);
