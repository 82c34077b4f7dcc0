// The page as a whole: the live events, the filter, the keys.

const inputs = { text: byId("text"), target: byId("target"), fields: byId("fields") };

const page = {
  status: null,
  paused: false,
  // What has been asked for, so that an answer that is overtaken is dropped.
  search: new AbortController(),
  following: false,
  // Whether nothing has been asked for yet, or asking failed.
  stale: true,
};

async function ask(url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim()), { status: answer.status });
  return answer.json();
}

const query = () => new URLSearchParams(Object.entries(inputs).map(([name, input]) => [name, input.value]));

// Asks anew for all that matches.
async function search() {
  page.search.abort();
  page.search = new AbortController();
  const { signal } = page.search;
  remember();
  try {
    const found = await ask(`/api/search?${query()}`, signal);
    page.stale = false;
    problem("");
    model.reset(found);
    if (list.chosen && !isOpen()) list.chosen = 0;
    list.scroller.scrollTop = list.newestFirst ? 0 : list.scroller.scrollHeight;
    drawAll();
    if (!list.newestFirst) toEnd(true);
  } catch (error) {
    if (signal.aborted) return;
    page.stale = error.status !== 400;
    problem(error.status === 400 ? error.message : "");
    if (error.status === 400) showNothing();
  }
}

function showNothing() {
  model.reset({ first: 0, last: page.status?.last ?? 0, ids: [], times: [], levels: "" });
  drawAll();
}

// Asks for what has come since, until there is no more.
async function follow() {
  if (page.following || page.paused || !page.status) return;
  page.following = true;
  try {
    while (!page.paused && (page.stale || model.last < page.status.last)) {
      if (page.stale) {
        await search();
        if (page.stale) break;
        continue;
      }
      if (inputs.fields.getAttribute("aria-invalid") === "true") break;
      const { signal } = page.search;
      const after = model.last;
      const found = await ask(`/api/search?${query()}&after=${after}`, signal);
      // A search has ended meanwhile, and may have found the same.
      if (model.last !== after) continue;
      keepingPlace(() => model.append(found));
      drawAround();
    }
  } catch {
    // The next event tries again; an answer that a new search has overtaken is dropped.
  } finally {
    page.following = false;
  }
}

function drawAll() {
  drawList();
  drawAround();
}

function drawAround() {
  drawChart();
  drawLevels();
  drawRange();
  drawPause();
  drawEmpty();
  const hidden = model.ids.length - model.shown.length;
  byId("matches").textContent = `${count(model.shown.length)} shown${hidden ? `, ${count(hidden)} hidden by level or time` : ""}`;
}

// Events, and what they say.

function listen() {
  const events = new EventSource("/api/events");
  events.onopen = () => connection("live", "live");
  events.onmessage = ({ data }) => {
    const status = JSON.parse(data);
    if (page.status && page.status.generation !== status.generation) restart();
    page.status = status;
    byId("kept").textContent = count(status.last ? status.last - status.first + 1 : 0);
    byId("rate").textContent = status.rate < 10 ? String(Math.round(status.rate * 10) / 10) : count(Math.round(status.rate));
    byId("senders").textContent = count(status.senders);
    byId("senders-unit").textContent = status.senders === 1 ? "sender" : "senders";
    drawPause();
    follow();
  };
  events.onerror = () => {
    connection("lost", "reconnecting");
    // It tries again by itself, but not where the answer was an error.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}

// The collector is another one, and perhaps its records are.
function restart() {
  list.cache.clear();
  page.stale = true;
}

function connection(state, text) {
  const shown = byId("connection");
  shown.dataset.state = state;
  shown.textContent = text;
}

// The filter.

function problem(text) {
  byId("problem").textContent = text;
  inputs.fields.setAttribute("aria-invalid", String(text !== ""));
}

const levels = [1, 2, 3, 4, 5].map((level) => {
  const button = element("button", undefined, "level");
  button.type = "button";
  button.dataset.level = level;
  button.title = `show or hide (${level})`;
  button.setAttribute("aria-keyshortcuts", String(level));
  button.append(`${LEVELS[level]} `, element("b", "0"));
  button.addEventListener("click", () => toggleLevel(level));
  byId("levels").append(button);
  return button;
});

function toggleLevel(level) {
  if (!model.hidden.delete(level)) model.hidden.add(level);
  selected();
}

function drawLevels() {
  for (const button of levels) {
    const level = Number(button.dataset.level);
    button.setAttribute("aria-pressed", String(!model.hidden.has(level)));
    button.lastChild.textContent = count(model.counts[level]);
  }
  const filtered = model.hidden.size > 0 || model.range || Object.values(inputs).some((input) => input.value !== "");
  byId("clear").hidden = !filtered;
}

function drawRange() {
  const { range } = model;
  byId("range").hidden = !range;
  if (!range) return;
  const fine = range[1] - range[0] < 10000;
  byId("range").textContent = `${clock(range[0], fine)} – ${clock(range[1], fine)}  ✕`;
  byId("range").setAttribute("aria-label", `${byId("range").textContent}: all times again`);
}

function setRange(range) {
  model.range = range;
  selected();
}

function selected() {
  keepingPlace(() => model.select());
  drawAround();
  remember();
}

function clearAll() {
  for (const input of Object.values(inputs)) input.value = "";
  model.hidden.clear();
  model.range = null;
  search();
}

let typing;
for (const input of Object.values(inputs)) {
  input.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, 150);
  });
}
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("range").addEventListener("click", () => setRange(null));
byId("clear").addEventListener("click", clearAll);
chart.choose = setRange;

detail.filterBy = (key, text) => {
  if (key === "name") inputs.target.value = text;
  else inputs.fields.value = `${inputs.fields.value} ${term(key, text)}`.trim();
  search();
};

// The filter stands behind the # of the address, so that it can be kept and passed on.

function remember() {
  const kept = query();
  for (const [name, value] of [...kept]) if (value === "") kept.delete(name);
  if (model.hidden.size) kept.set("hide", [...model.hidden].sort().join(""));
  if (!list.newestFirst) kept.set("order", "last");
  history.replaceState(null, "", `#${kept}`);
}

function recall() {
  const kept = new URLSearchParams(location.hash.slice(1));
  for (const [name, input] of Object.entries(inputs)) input.value = kept.get(name) ?? "";
  model.hidden.clear();
  for (const level of kept.get("hide") ?? "") if (LEVELS[level]) model.hidden.add(Number(level));
  list.newestFirst = kept.get("order") !== "last";
}

// Pause, order, theme.

function drawPause() {
  const waiting = page.paused && page.status ? Math.max(0, page.status.last - model.last) : 0;
  const button = byId("pause");
  button.setAttribute("aria-pressed", String(page.paused));
  button.textContent = page.paused ? `Resume${waiting ? `, ${count(waiting)} new` : ""}` : "Pause";
}

function togglePause() {
  page.paused = !page.paused;
  drawPause();
  follow();
}

function toggleOrder() {
  list.newestFirst = !list.newestFirst;
  drawOrder();
  remember();
  drawList();
  toEnd(!list.newestFirst);
}

function drawOrder() {
  byId("order").textContent = list.newestFirst ? "Newest first" : "Newest last";
}

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : systemIsDark.matches;
};

function toggleTheme() {
  setTheme(isDark() ? "light" : "dark");
  try {
    localStorage.setItem("theme", document.documentElement.dataset.theme);
  } catch {
    // Then it holds until the page is left.
  }
}

function setTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  byId("theme").textContent = isDark() ? "Light" : "Dark";
}

function storedTheme() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

systemIsDark.addEventListener("change", () => setTheme());
byId("pause").addEventListener("click", togglePause);
byId("order").addEventListener("click", toggleOrder);
byId("theme").addEventListener("click", toggleTheme);
byId("help").addEventListener("click", () => byId("shortcuts").showModal());

function drawEmpty() {
  const empty = byId("empty");
  empty.hidden = model.shown.length > 0;
  const [title, text, code] = empty.children;
  const nothing = !page.status || page.status.last === 0;
  title.textContent = nothing ? "No records yet" : "Nothing matches";
  text.textContent = nothing ? "They appear here as they are sent:" : "Other filters may: c clears them.";
  code.textContent = nothing ? `let _guard = logpost::init("${location.origin}/log")?;\nlog::info!("hello");` : "";
}

// Keys.

list.open = openDetail;

function step(by) {
  move(by);
  if (isOpen()) openDetail(list.chosen);
}

const KEYS = {
  "/": () => inputs.text.select(),
  t: () => inputs.target.select(),
  f: () => inputs.fields.select(),
  c: clearAll,
  p: togglePause,
  o: toggleOrder,
  d: toggleTheme,
  j: () => step(1),
  k: () => step(-1),
  g: () => toEnd(false),
  G: () => toEnd(true),
  "?": () => byId("shortcuts").showModal(),
  Escape: () => (isOpen() ? closeDetail() : model.range && setRange(null)),
};
for (const level of [1, 2, 3, 4, 5]) KEYS[level] = () => toggleLevel(level);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("shortcuts").open) return;
  const { target, key } = event;
  if (target.matches("input")) {
    if (key === "Enter" || (key === "Escape" && target.value === "")) list.scroller.focus();
    return;
  }
  const inList = target === document.body || target === list.scroller;
  const inListKeys = { ArrowDown: () => step(1), ArrowUp: () => step(-1), Enter: () => list.chosen && openDetail(list.chosen) };
  const action = (inList && inListKeys[key]) || (Object.hasOwn(KEYS, key) && KEYS[key]);
  if (!action) return;
  event.preventDefault();
  action();
});

recall();
setTheme(storedTheme());
drawOrder();
addEventListener("hashchange", () => {
  recall();
  drawOrder();
  search();
});
new ResizeObserver(() => drawChart()).observe(chart.svg);
measureRows();
listen();
