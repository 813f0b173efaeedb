// A table with sortable columns. Sections are sorted each by itself, so that what is ranked apart stays apart.
const collator = new Intl.Collator("en", { numeric: true });
function compare(a, b, descending) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
  return descending ? -order : order;
}

// The first rows are drawn at once, the rest while nothing else waits, and all of them before printing.
const AT_ONCE = 60;
const waiting = new Map();
const idle = (act) => (window.requestIdleCallback ? window.requestIdleCallback(act, { timeout: 100 }) : setTimeout(act, 30));
function rest() {
  for (const [more, body] of waiting) body.isConnected ? more(AT_ONCE) : waiting.delete(more);
  if (waiting.size) idle(rest);
}
addEventListener("beforeprint", () => { for (const more of waiting.keys()) more(Infinity); });

// columns: {key, label, title, value(row), cell(row), number, head, plain}; the first is the row's header.
// sorted(key, descending) is told when the reader sorts; without it the table is not sortable.
function dataTable({ label, columns, sections, foot, sort, descending, sorted, classes }) {
  const at = (column, head) => ({ scope: head, class: [column.number && "num", column.classes].filter(Boolean).join(" ") || null });
  const arrows = new Map();
  const heads = columns.map((column) => {
    if (column.plain || !sorted) return el("th", at(column, "col"), column.head ? column.head() : column.label);
    const arrow = el("span", { class: "arrow", "aria-hidden": "true" });
    const head = el("th", at(column, "col"), el("button", { type: "button", class: "sort", title: column.title, "data-sort": column.key, on: { click: () => turn(column) } }, column.label, arrow));
    arrows.set(column, { head, arrow });
    return head;
  });
  const bodies = sections.map(({ title, note, rows }) => {
    const body = el("tbody", {}, title && el("tr", { class: "section" }, el("th", { colspan: columns.length, scope: "rowgroup" }, el("span", { class: "pin" }, title, note && soft(" ", note)))));
    return { body, head: body.firstChild, entries: rows.map((row) => ({ row, node: null })) };
  });
  const draw = (entry) => entry.node || (entry.node = el("tr", { "data-run": entry.row.run ? entry.row.run.id : null }, columns.map((column, k) => el(k === 0 ? "th" : "td", at(column, k === 0 ? "row" : null), column.cell(entry.row)))));
  let later = [];
  function more(n) {
    for (const part of later) {
      const next = part.left.splice(0, n);
      part.body.append(...next.map(draw));
      n -= next.length;
    }
    later = later.filter((part) => part.left.length);
    if (!later.length) waiting.delete(more);
  }
  function order() {
    const by = sort && columns.find((column) => column.key === sort);
    later = bodies.map(({ body, head, entries }) => {
      const keyed = entries.map((entry) => ({ entry, key: by && by.value ? by.value(entry.row) : null }));
      if (by && by.value) keyed.sort((a, b) => compare(a.key, b.key, descending));
      body.replaceChildren(...(head ? [head] : []));
      return { body, left: keyed.map(({ entry }) => entry) };
    });
    more(AT_ONCE);
    if (later.length) { waiting.set(more, later[0].body); idle(rest); }
    for (const [column, { head, arrow }] of arrows) {
      head.setAttribute("aria-sort", column === by ? (descending ? "descending" : "ascending") : "none");
      arrow.textContent = column === by ? (descending ? "\u25be" : "\u25b4") : "";
    }
  }
  function turn(column) {
    descending = sort === column.key ? !descending : Boolean(column.number);
    sort = column.key;
    order();
    sorted(sort, descending);
  }
  order();
  return el("div", { class: "scroll", role: "region", "aria-label": label, tabindex: "0" },
    el("table", { class: classes }, el("thead", {}, el("tr", {}, heads)), bodies.map(({ body }) => body), foot && el("tfoot", {}, foot)));
}
