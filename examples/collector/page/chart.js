// Records over time by level, as bars of equal time. Dragging over them shows that time alone.

const chart = {
  svg: byId("bars"),
  reading: byId("reading"),
  // Of each bar: how many of each level.
  buckets: [],
  from: 0,
  step: 1,
  width: 1,
  // Indices of the bars between which is chosen, while it is.
  brush: null,
  choose: () => {},
};

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat(
  [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((s) => s * 1000),
);
const BAR = 7;
const AXIS = 18;

function niceStep(least) {
  return STEPS.find((step) => step >= least) ?? Math.ceil(least / 86400000) * 86400000;
}

function svgElement(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function drawChart() {
  const { width, height } = chart.svg.getBoundingClientRect();
  const extent = model.range ?? model.extent();
  chart.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.width = width;
  chart.buckets = [];
  const parts = [svgElement("line", { class: "ground", x1: 0, x2: width, y1: height - AXIS, y2: height - AXIS })];
  if (extent && width > 0) {
    fillBuckets(extent, width);
    parts.push(...bars(height - AXIS), ...axis(height));
  }
  chart.svg.replaceChildren(...parts);
  drawBrush();
  describe();
}

function fillBuckets([from, to], width) {
  chart.step = niceStep((to - from) / Math.floor(width / BAR));
  chart.from = Math.floor(from / chart.step) * chart.step;
  const number = Math.max(1, Math.ceil((to - chart.from) / chart.step));
  chart.buckets = Array.from({ length: number }, () => [0, 0, 0, 0, 0, 0]);
  for (const at of model.shown) {
    const bucket = chart.buckets[Math.floor((model.times[at] - chart.from) / chart.step)];
    if (bucket) bucket[model.levels[at]]++;
  }
}

const total = (bucket) => bucket[1] + bucket[2] + bucket[3] + bucket[4] + bucket[5];

// Bars of few records are not stretched over the whole width.
const barWidth = () => Math.min(chart.width / chart.buckets.length, 24);

// A path for each level: errors stand at the bottom, where they are seen best.
function bars(ground) {
  const most = Math.max(1, ...chart.buckets.map(total));
  const wide = barWidth();
  const paths = ["", "", "", "", "", ""];
  chart.buckets.forEach((bucket, place) => {
    let below = 0;
    for (let level = 1; level <= 5; level++) {
      if (bucket[level] === 0) continue;
      const tall = Math.max(1.5, (bucket[level] / most) * (ground - 4));
      const bottom = ground - below;
      paths[level] += `M${(place * wide).toFixed(2)} ${bottom.toFixed(2)}v${(-tall).toFixed(2)}h${Math.max(1, wide - 1).toFixed(2)}v${tall.toFixed(2)}z`;
      below += tall;
    }
  });
  return [1, 2, 3, 4, 5].map((level) => svgElement("path", { "data-level": level, d: paths[level] }));
}

function axis(height) {
  const every = Math.max(1, Math.ceil(84 / barWidth()));
  const fine = (chart.step * every) % 1000 !== 0;
  const long = chart.step * chart.buckets.length > 86400000;
  const labels = [];
  for (let place = 0; place * barWidth() < chart.width - 60 && place < chart.buckets.length; place += every) {
    const time = chart.from + place * chart.step;
    const label = svgElement("text", { x: (place * barWidth()).toFixed(1), y: height - 4 });
    label.textContent = long ? `${day(time).slice(5)} ${clock(time).slice(0, 5)}` : clock(time, fine);
    labels.push(label);
  }
  return labels;
}

function drawBrush() {
  chart.svg.querySelector(".brush")?.remove();
  if (!chart.brush) return;
  const [first, last] = [Math.min(...chart.brush), Math.max(...chart.brush)];
  const { height } = chart.svg.getBoundingClientRect();
  const place = { x: first * barWidth(), y: 0.5, width: (last - first + 1) * barWidth(), height: height - AXIS };
  chart.svg.append(svgElement("rect", { class: "brush", ...place }));
}

// What the bars under the pointer or the brush are, or else all of them.
function describe(bar) {
  const [first, last] = chart.brush ? [Math.min(...chart.brush), Math.max(...chart.brush)] : [bar, bar];
  const some = first !== undefined && chart.buckets[first];
  const buckets = some ? chart.buckets.slice(first, last + 1) : chart.buckets;
  const sums = [1, 2, 3, 4, 5].map((level) => [LEVELS[level], buckets.reduce((sum, bucket) => sum + bucket[level], 0)]);
  const parts = sums.filter(([, number]) => number > 0).map(([level, number]) => `${count(number)} ${level}`);
  const from = chart.from + (some ? first : 0) * chart.step;
  const to = from + buckets.length * chart.step;
  const fine = chart.step < 1000;
  const when = buckets.length ? `${clock(from, fine)} – ${clock(to, fine)}` : "";
  chart.reading.textContent = when && `${day(from)}  ${when}`;
  const told = some ? `, ${parts.join(", ") || "nothing"}` : "";
  if (when) chart.reading.textContent += told;
  chart.svg.setAttribute("aria-label", `records over time: ${chart.reading.textContent || "none"}`);
}

function barAt(event) {
  const x = event.clientX - chart.svg.getBoundingClientRect().left;
  return Math.max(0, Math.min(chart.buckets.length - 1, Math.floor(x / barWidth())));
}

function finishBrush() {
  const brush = chart.brush;
  chart.brush = null;
  if (!brush) return;
  const time = (bar) => chart.from + bar * chart.step;
  chart.choose([time(Math.min(...brush)), time(Math.max(...brush) + 1)]);
}

function cancelBrush() {
  chart.brush = null;
  drawBrush();
  describe();
}

chart.svg.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || chart.buckets.length === 0) return;
  // It is not to have the focus by that: the keys go on to be those of the page.
  event.preventDefault();
  chart.svg.setPointerCapture(event.pointerId);
  chart.brush = [barAt(event), barAt(event)];
  drawBrush();
  describe();
});
chart.svg.addEventListener("pointermove", (event) => {
  if (chart.brush && chart.svg.hasPointerCapture(event.pointerId)) {
    chart.brush[1] = barAt(event);
    drawBrush();
    describe();
  } else if (!chart.brush && chart.buckets.length) describe(barAt(event));
});
chart.svg.addEventListener("pointerup", finishBrush);
chart.svg.addEventListener("pointercancel", cancelBrush);
chart.svg.addEventListener("pointerleave", () => chart.brush || describe());
chart.svg.addEventListener("blur", cancelBrush);
chart.svg.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && chart.buckets.length) {
    const last = chart.buckets.length - 1;
    const from = chart.brush?.[1] ?? (step > 0 ? -1 : last + 1);
    const bar = Math.max(0, Math.min(last, from + step));
    chart.brush = event.shiftKey && chart.brush ? [chart.brush[0], bar] : [bar, bar];
    drawBrush();
    describe();
  } else if (event.key === "Enter" && chart.brush) finishBrush();
  else if (event.key === "Escape" && chart.brush) cancelBrush();
  else return;
  event.preventDefault();
  event.stopPropagation();
});
