// A table with sortable columns. Sections are sorted each by itself, so that what is ranked apart stays apart.
function compare(a, b, descending) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return descending ? -order : order;
}

// columns: {key, label, title, value(row), cell(row), number, head, plain}; the first is the row's header.
function dataTable({ caption, label, columns, sections, foot, sort, descending, resort, classes }) {
  const heads = columns.map((column) => {
    const attributes = { scope: "col", class: [column.number && "num", column.classes].filter(Boolean).join(" ") || null };
    if (column.plain || !resort) return el("th", attributes, column.head ? column.head() : column.label);
    const sorted = sort === column.key;
    attributes["aria-sort"] = sorted ? (descending ? "descending" : "ascending") : "none";
    const next = sorted ? !descending : Boolean(column.number);
    return el("th", attributes, el("button", { type: "button", class: "sort", title: column.title, "data-sort": column.key, on: { click: () => resort(column.key, next) } },
      column.label, el("span", { class: "arrow", "aria-hidden": "true" }, sorted ? (descending ? "\u25be" : "\u25b4") : "")));
  });
  const by = sort && columns.find((column) => column.key === sort);
  const bodies = sections.map(({ title, note, rows }) => {
    const ordered = by ? [...rows].sort((a, b) => compare(by.value(a), by.value(b), descending)) : rows;
    return el("tbody", {},
      title && el("tr", { class: "section" }, el("th", { colspan: columns.length, scope: "rowgroup" }, el("span", { class: "pin" }, title, note && soft(" ", note)))),
      ordered.map((row) => el("tr", { "data-run": row.run ? row.run.id : null }, columns.map((column, k) =>
        el(k === 0 ? "th" : "td", { scope: k === 0 ? "row" : null, class: [column.number && "num", column.classes].filter(Boolean).join(" ") || null }, column.cell(row))))));
  });
  return el("div", { class: "scroll", role: "region", "aria-label": label, tabindex: "0" },
    el("table", { class: classes }, caption && el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), bodies, foot && el("tfoot", {}, foot)));
}
