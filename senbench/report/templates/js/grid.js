// Style x model: figures, or paired differences to one style; what the board ranks nowhere stands in neither.
function differences(board) {
  if (board.paired) return board.paired;
  const pairs = new Map();
  for (const [first, second, value, half, marks] of board.deltas) {
    const a = runs[first], b = runs[second];
    const of = pairs.get(a.model) || new Map();
    of.set(a.prompts.id + "\n" + b.prompts.id, { value, half, sure: Boolean(marks & 1) });
    of.set(b.prompts.id + "\n" + a.prompts.id, { value: -value, half, sure: Boolean(marks & 2) });
    pairs.set(a.model, of);
  }
  const styles = [...new Set(rowsOf(board).filter((row) => !row.apart).map((row) => row.style))].sort();
  board.paired = { pairs, styles };
  return board.paired;
}
const step = (v, from, to) => Math.max(0, Math.min(8, Math.floor(((v - from) / (to - from || 1)) * 8.999)));

function gridCell(board, row, reference, range) {
  if (!row) return el("td", { class: "num soft" }, NONE);
  const name = `${row.run.name}, ${row.style}`;
  if (!reference) return el("td", { class: `num h${row.value === null ? "" : step(row.value, range[0], range[1])}` }, link(row.run, el("span", { class: "hidden" }, name + ": "), show(board.headline, row.value)), el("span", { class: "ends" }, between(board.headline, row.low, row.high)));
  if (row.style === reference) return el("td", { class: "num" }, link(row.run, el("span", { class: "hidden" }, name + ": "), show(board.headline, row.value)), el("span", { class: "ends" }, "reference"));
  const of = differences(board).pairs.get(row.run.model);
  const d = of && of.get(row.style + "\n" + reference);
  if (!d) return el("td", { class: "num soft" }, NONE, el("span", { class: "ends" }, "not paired"));
  const size = Math.min(4, Math.ceil((Math.abs(d.value) / (range[2] || 1)) * 4)) || 0;
  return el("td", { class: `num ${d.value < 0 ? "m" : "p"}${size}` }, link(row.run, el("span", { class: "hidden" }, name + ": "), d.sure ? el("strong", {}, signed(d.value)) : signed(d.value), d.sure && el("span", { class: "hidden" }, " significant")), el("span", { class: "ends" }, d.half === null ? "no interval" : `${signed(d.value - d.half)} to ${signed(d.value + d.half)}`));
}
function grid(board) {
  const { styles, pairs } = differences(board);
  if (styles.length < 2) return null;
  const rows = filtered(board, true).filter((row) => !row.apart);
  const models = new Map();
  for (const row of rows) {
    const of = models.get(row.run.model) || { model: row.run.model, run: row.run, status: row.status, of: new Map() };
    if (!of.of.has(row.style)) of.of.set(row.style, row);
    models.set(row.run.model, of);
  }
  const reference = styles.includes(state.grid) ? state.grid : "";
  const values = rows.map((row) => row.value).filter((v) => v !== null);
  const largest = Math.max(...[...pairs.values()].flatMap((of) => [...of].filter(([key]) => key.endsWith("\n" + reference)).map(([, d]) => Math.abs(d.value))), 0.001);
  // a shade apart is a point apart: a narrow range would paint noise
  const low = Math.min(...values), range = [low, Math.max(...values, low + 9 / 100), largest];
  const columns = [
    { key: "model", cell: ({ run, status }) => [run.name, status !== "as declared" && el("span", { class: "under" }, status)] },
    ...styles.map((style) => ({ key: style, cell: (m) => gridCell(board, m.of.get(style), reference, range) })),
  ];
  const order = Object.keys(SECTIONS), left = filtered(board, true).length - rows.length;
  const lead = board.declared && styles.includes(board.declared) ? board.declared : styles[0];
  const ordered = [...models.values()].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status) || compare((a.of.get(lead) || {}).value, (b.of.get(lead) || {}).value, true));
  const choose = el("select", { id: "grid", on: { change: (event) => { go({ grid: event.target.value }); $("grid").focus(); } } },
    el("option", { value: "" }, `${titleOf(board.headline)} %`), styles.map((style) => el("option", { value: style, selected: style === reference }, `difference to ${style}`)));
  const plain = () => ordered.flatMap(({ run, of }) => styles.filter((s) => of.has(s)).map((style) => {
    const d = reference && style !== reference ? ((pairs.get(run.model) || new Map()).get(style + "\n" + reference) || {}) : {};
    const row = of.get(style), f = figure(row.run, board.headline);
    return { model: run.card.id, prompts: style, section: row.status, qualifications: row.run.marks.map(({ label }) => label).join("; "), value: f.value, low: f.low, high: f.high, reference: reference || null, difference: d.value ?? null, half_width: d.half ?? null, significant: d.sure ?? null, run: row.run.id };
  }));
  return el("section", { "aria-labelledby": "grid-title" },
    el("h3", { id: "grid-title", tabindex: "-1" }, "Prompts \u00d7 models"),
    el("p", { class: "control" }, el("label", { for: "grid" }, "Cells show "), choose),
    el("div", { class: "scroll", role: "region", "aria-label": "Prompts by models", tabindex: "0" },
      el("table", { class: "grid" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Model"), styles.map((style) => el("th", { scope: "col", class: "num" }, style, style === board.declared && el("span", { class: "under" }, "declared"))))),
        el("tbody", {}, ordered.map((m) => el("tr", {}, el("th", { scope: "row" }, columns[0].cell(m)), columns.slice(1).map((column) => column.cell(m))))))),
    el("p", { class: "note" }, reference ? "Paired differences in points on the same tiles, with 95 % intervals; bold: significant after Holm over all differences shown to this style. A style is a sample of prompts: these tests hold for the prompts as they are." : `${titleOf(board.headline)} with 95 % intervals; shading from the lowest to the highest figure shown, over 9 points at least.`, left ? ` ${plural(left, "run")} that ${left === 1 ? "is" : "are"} ranked nowhere ${left === 1 ? "is" : "are"} left out.` : ""),
    downloads(`prompts ${board.key}`, plain));
}
