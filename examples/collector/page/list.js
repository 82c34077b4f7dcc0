// The list: only the rows that are seen are in the document, and only they are fetched.

const list = {
  scroller: byId("list"),
  space: byId("space"),
  rows: byId("rows"),
  rowHeight: 26,
  newestFirst: true,
  // Rows by number; null for those that are gone.
  cache: new Map(),
  fetching: false,
  scheduled: false,
  // The number of the record that is chosen.
  chosen: 0,
  open: () => {},
};

// Beyond what is seen, so that scrolling does not show gaps.
const MARGIN = 12;
const MAX_CACHED = 2000;

const indexAt = (place) => model.shown[list.newestFirst ? model.shown.length - 1 - place : place];

// The place of a record in the list, or of the next newer one.
function placeOf(id) {
  const at = lowerBound(model.shown.length, (place) => model.ids[model.shown[place]] >= id);
  return list.newestFirst ? model.shown.length - 1 - at : at;
}

// Runs a change of what is shown, and leaves the records that are seen where they are. At the end where new ones come in, those
// are seen.
function keepingPlace(change) {
  const { scroller, rowHeight } = list;
  const rest = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
  const follows = list.newestFirst ? scroller.scrollTop < rowHeight / 2 : rest < rowHeight / 2;
  const top = Math.floor(scroller.scrollTop / rowHeight);
  const anchor = model.ids[indexAt(top)];
  change();
  stretch();
  if (follows || anchor === undefined) scroller.scrollTop = list.newestFirst ? 0 : scroller.scrollHeight;
  else scroller.scrollTop += (placeOf(anchor) - top) * rowHeight;
  drawList();
}

function stretch() {
  list.space.style.height = `${model.shown.length * list.rowHeight}px`;
}

function scheduleList() {
  if (list.scheduled) return;
  list.scheduled = true;
  requestAnimationFrame(() => {
    list.scheduled = false;
    drawList();
  });
}

function drawList() {
  stretch();
  const { scroller, rows, rowHeight } = list;
  const first = Math.max(0, Math.floor(scroller.scrollTop / rowHeight) - MARGIN);
  const last = Math.min(model.shown.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / rowHeight) + MARGIN);
  const number = Math.max(0, last - first);
  while (rows.childElementCount > number) rows.lastChild.remove();
  while (rows.childElementCount < number) rows.append(emptyRow());
  rows.style.transform = `translateY(${first * rowHeight}px)`;
  const missing = [];
  for (let at = 0; at < number; at++) {
    const index = indexAt(first + at);
    fillRow(rows.children[at], index, first + at);
    if (!list.cache.has(model.ids[index])) missing.push(model.ids[index]);
  }
  const chosen = rows.querySelector('[aria-selected="true"]');
  if (chosen) scroller.setAttribute("aria-activedescendant", chosen.id);
  else scroller.removeAttribute("aria-activedescendant");
  if (missing.length) fetchRows(missing);
}

function emptyRow() {
  const row = element("div", undefined, "row");
  row.setAttribute("role", "option");
  const what = element("span", undefined, "what");
  what.append(element("bdi"), element("i"));
  row.append(element("span", undefined, "time"), element("span", undefined, "name"), element("span", undefined, "of"), what);
  return row;
}

function fillRow(node, index, place) {
  const id = model.ids[index];
  const row = list.cache.get(id);
  const [time, name, of, what] = node.children;
  node.id = `record-${id}`;
  node.dataset.level = model.levels[index];
  node.className = row === undefined ? "row waiting" : "row";
  node.setAttribute("aria-selected", String(id === list.chosen));
  node.setAttribute("aria-posinset", String(place + 1));
  node.setAttribute("aria-setsize", String(model.shown.length));
  time.textContent = clock(model.times[index], true);
  time.title = day(model.times[index]);
  name.textContent = visible(row?.level_name ?? LEVELS[model.levels[index]].toUpperCase());
  of.textContent = visible(row?.target ?? "");
  what.firstChild.textContent = row === null ? "(not kept any more)" : visible(row?.message ?? "");
  what.lastChild.textContent = visible(row?.extra ?? "");
}

async function fetchRows(ids) {
  if (list.fetching) return;
  list.fetching = true;
  const asked = ids.slice(0, 200);
  try {
    const rows = await ask(`/api/rows?ids=${asked.join(",")}`);
    for (const id of asked) list.cache.set(id, null);
    for (const row of rows) list.cache.set(row.id, row);
    // A Map keeps the order in which its keys came.
    for (const id of list.cache.keys()) {
      if (list.cache.size <= MAX_CACHED) break;
      list.cache.delete(id);
    }
    scheduleList();
  } catch {
    // The collector is gone for a while, which the head of the page says. What is missing is asked for with the next drawing.
  } finally {
    list.fetching = false;
  }
}

function measureRows() {
  list.rowHeight = matchMedia("(max-width: 640px)").matches ? 48 : 26;
  scheduleList();
}

// Chooses the record that is `step` further down, and brings it into view.
function move(step) {
  if (model.shown.length === 0) return;
  const top = Math.ceil(list.scroller.scrollTop / list.rowHeight);
  const place = list.chosen ? Math.max(0, Math.min(model.shown.length - 1, placeOf(list.chosen) + step)) : top;
  choose(model.ids[indexAt(place)]);
  const { scroller, rowHeight } = list;
  const [above, below] = [place * rowHeight, (place + 1) * rowHeight - scroller.clientHeight];
  if (scroller.scrollTop > above) scroller.scrollTop = above;
  if (scroller.scrollTop < below) scroller.scrollTop = below;
}

function choose(id) {
  list.chosen = id;
  scheduleList();
}

function toEnd(bottom) {
  list.scroller.scrollTop = bottom ? list.scroller.scrollHeight : 0;
}

list.scroller.addEventListener("scroll", scheduleList, { passive: true });
list.rows.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (!row || String(getSelection()) !== "") return;
  choose(Number(row.id.slice("record-".length)));
  list.open(list.chosen);
});
new ResizeObserver(measureRows).observe(list.scroller);
