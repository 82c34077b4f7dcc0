// A record with all its fields, beside the list.

const detail = {
  panel: byId("detail"),
  title: byId("detail").querySelector("h2"),
  contents: byId("contents"),
  record: null,
  // Called with the name of an input and what to put there.
  filterBy: () => {},
};

const isOpen = () => !detail.panel.hidden;

async function openDetail(id) {
  try {
    const record = await ask(`/api/records/${id}`);
    // Meanwhile another one may have been chosen.
    if (id === list.chosen) showDetail(record);
  } catch (problem) {
    detail.record = null;
    detail.title.textContent = `Record ${id}`;
    detail.contents.replaceChildren(element("p", problem.message));
    detail.panel.hidden = false;
  }
}

function showDetail(record) {
  detail.record = record;
  const time = record.created / 1000;
  const micro = String(record.created % 1000000).padStart(6, "0");
  detail.title.dataset.level = record.level;
  detail.title.replaceChildren(element("b", LEVELS[record.level].toUpperCase()), ` ${day(time)} `, `${clock(time)}.${micro}`);
  const own = record.fields.filter((field) => field.own);
  // The message stands above them already.
  const isMessage = ({ key, json }) => (key === "msg" || key === "message") && textOf(json) === record.message;
  const core = record.fields.filter((field) => !field.own && !isMessage(field));
  const parts = [element("pre", record.message)];
  if (own.length) parts.push(element("h3", "Fields"), table(own));
  if (core.length) parts.push(element("h3", "Record"), table(core));
  detail.contents.replaceChildren(...parts);
  detail.contents.scrollTop = 0;
  detail.panel.hidden = false;
}

// Values come as JSON. What is no text stays as it is: read as a number it might be rounded.
const textOf = (json) => (json.startsWith('"') ? JSON.parse(json) : json);

function table(fields) {
  const all = element("dl");
  for (const { key, json } of fields) {
    const text = textOf(json);
    const shown = element("dd");
    shown.append(element("pre", text));
    const only = element("button", "Filter");
    only.type = "button";
    only.setAttribute("aria-label", `only records with this ${key}`);
    only.addEventListener("click", () => detail.filterBy(key, text));
    const row = element("div");
    row.append(element("dt", key), shown, only);
    all.append(row);
  }
  return all;
}

// As a term of the fields' input.
function term(key, text) {
  const quoted = (word, plain) => (plain.test(word) ? word : `"${word.replace(/["\\]/g, "\\$&")}"`);
  return `${quoted(key, /^[^\s=~!"]+$/)}=${quoted(text, /^[^\s"][^\s]*$/)}`;
}

function closeDetail() {
  detail.panel.hidden = true;
  detail.record = null;
  list.scroller.focus({ preventScroll: true });
}

byId("close").addEventListener("click", closeDetail);
byId("copy").addEventListener("click", async ({ target }) => {
  if (!detail.record) return;
  const { fields } = detail.record;
  const copied = `{\n${fields.map(({ key, json }) => `  ${JSON.stringify(key)}: ${json}`).join(",\n")}\n}`;
  try {
    await navigator.clipboard.writeText(copied);
    target.textContent = "Copied";
  } catch {
    target.textContent = "Not allowed";
  }
  setTimeout(() => (target.textContent = "Copy"), 1500);
});
