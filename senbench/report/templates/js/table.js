// A table with sortable columns. Sections are sorted each by itself, so that what is ranked apart stays apart.
const collator = new Intl.Collator("en", { numeric: true });
function compare(a, b, descending) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
  return descending ? -order : order;
}

// A long table draws its first rows, and more as the reader comes near its end, asks for them, searches or prints.
const AT_ONCE = 60;
const finish = () => { for (const table of document.querySelectorAll("table")) if (table.finish) table.finish(); };
addEventListener("beforeprint", finish);
addEventListener("keydown", (event) => { if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f") finish(); });

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
  const table = el("table", { class: classes }, el("thead", {}, el("tr", {}, heads)), bodies.map(({ body }) => body), foot && el("tfoot", {}, foot));
  const scroll = el("div", { class: sorted ? "scroll long" : "scroll", role: "region", "aria-label": label, tabindex: "0" }, table);
  const near = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && more(table.rows.length), { root: scroll, rootMargin: "800px" });
  const last = el("button", { type: "button", class: "link", on: { click: () => more(Infinity) } });
  const end = el("tr", { class: "later" }, el("td", { colspan: columns.length }, el("span", { class: "pin" }, last)));
  let later = [];
  function more(n) {
    near.disconnect();
    const held = document.activeElement === last ? end.rowIndex : 0;
    end.remove();
    for (const part of later) {
      const next = part.left.splice(0, n);
      part.body.append(...next.map(draw));
      part.body.hidden = false;
      n -= next.length;
    }
    later = later.filter((part) => part.left.length);
    later.forEach((part, k) => { part.body.hidden = k > 0; });
    if (later.length) {
      last.textContent = `Show ${plural(later.reduce((sum, part) => sum + part.left.length, 0), "more row")}`;
      later[0].body.append(end);
      near.observe(end);
    }
    if (held) (table.rows[held].querySelector("a") || scroll).focus();
  }
  table.finish = () => more(Infinity);
  function order() {
    const by = sort && columns.find((column) => column.key === sort);
    later = bodies.map(({ body, head, entries }) => {
      const keyed = entries.map((entry) => ({ entry, key: by && by.value ? by.value(entry.row) : null }));
      if (by && by.value) keyed.sort((a, b) => compare(a.key, b.key, descending));
      body.replaceChildren(...(head ? [head] : []));
      return { body, left: keyed.map(({ entry }) => entry) };
    });
    more(AT_ONCE);
    scroll.scrollTop = 0;
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
  return scroll;
}
