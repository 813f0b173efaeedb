// One board: the answers first, then the table, the prompts, the cost.
const SECTIONS = {
  "as declared": ["", ""],
  changed: ["Not as the protocol defines", "never ranked"],
  "not zero-shot": ["Not zero-shot", "trained on images of this dataset, or learnt from labels; ranked apart"],
  synthetic: ["Synthetic", "generated tiles, or a model trained on them: no statement about real data; ranked apart"],
  "unknown origin": ["Weights of unknown origin", "not known to be those of the card; never ranked"],
  incomplete: ["Incomplete", "fewer tiles than the split has; never ranked"],
};
// without a wish: the board that says most
const sound = (board) => board.rows.filter(([, status]) => status === "as declared").length;
const boardOf = (key) => data.boards.find((board) => board.key === key) || data.boards.reduce((most, board) => (sound(board) > sound(most) ? board : most));
const rowsOf = (board) => {
  board.all = board.all || board.rows.map(([place, status, from, to, of, why, best, choices, apart]) => {
    const run = runs[place];
    return { run, status, from, to, of, why, apart: Boolean(apart), best: best === null ? null : runs[best], choices, style: run.prompts.id, ...figure(run, board.headline) };
  });
  return board.all;
};
// the declared prompts alone where there is something to compare
const styleOf = (board) => state.style || (rowsOf(board).filter((row) => row.style === board.declared).length > 1 ? board.declared : ALL);
const linesOf = (board) => Object.entries(board.lines).filter(([name]) => data.lines[name] === board.headline);

function filtered(board, anyStyle) {
  const style = styleOf(board);
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  return rowsOf(board).filter(({ run, style: own }) =>
    (anyStyle || style === ALL || own === style) &&
    (!state.family || String(run.card.family) === state.family) &&
    (!state.architecture || String(run.card.architecture) === state.architecture) &&
    words.every((word) => [run.name, run.card.id, run.card.family, run.card.architecture, own, run.id].join(" ").toLowerCase().includes(word)));
}
const marks = ({ run }) => run.marks.map(({ label, sentence }) => [" ", tag(label, sentence)]);
const marked = (run, code) => run.marks.some((mark) => mark.code === code);
const link = (run, ...children) => el("a", { href: to(run), "data-open": run.id }, ...children);

function boardAxis(board) {
  const values = [0, ...linesOf(board).map(([, v]) => v), ...rowsOf(board).flatMap((row) => [row.value, row.high])].filter((v) => v !== null);
  return nice(Math.min(...values), Math.max(...values, 0.1));
}
function withInterval(name, { value, low, high, label }) {
  const ends = between(name, low, high);
  return [el("span", { class: "figure" }, show(name, value)), el("span", { class: "ends", title: label }, ends || (value === null ? "" : "no interval"))];
}
function rankOf(row) {
  if (row.from === null) return el("span", { class: "soft", title: row.why }, NONE, el("span", { class: "hidden" }, ` not ranked: ${row.why}`));
  const text = row.from === row.to ? String(row.from) : `${row.from}\u2013${row.to}`;
  return el("span", { class: "rank", title: `of ${row.of}` }, text);
}

function boardColumns(board, axis) {
  const lines = linesOf(board);
  const name = titleOf(board.headline);
  return [
    { key: "model", label: "Model", value: ({ run }) => run.name, cell: (row) => [link(row.run, row.run.name), marks(row), el("span", { class: "under" }, [...new Set([row.run.card.family, row.run.card.architecture])].filter(Boolean).join(" \u00b7 "))] },
    { key: "style", label: "Prompts", value: (row) => row.style, cell: (row) => [row.style, row.style === board.declared ? null : el("span", { class: "under" }, board.declared ? "not declared" : "")] },
    { key: "value", label: `${name} %`, number: true, value: (row) => row.value, cell: (row) => withInterval(board.headline, row) },
    { key: "rank", label: "Rank", title: "Interval of ranks from paired tests, Holm over all pairs", number: true, value: (row) => row.from === null ? null : -row.from - row.to / 10000, cell: rankOf },
    { key: "bar", label: "", plain: true, classes: "bar", head: () => axisHead(axis, name), cell: (row) => intervalBar(axis, row, lines, row.status !== "as declared") },
    ...data.beside[board.task].map(([title, metric]) => ({ key: metric, label: `${title} %`, number: true, value: ({ run }) => figure(run, metric).value, cell: ({ run }) => withInterval(metric, figure(run, metric)) })),
    { key: "best", label: "Best of", title: "Best of the prompts and ensembles tried with this model: chosen on the evaluated labels, hence optimistic, and never the rank", number: true, classes: "best", value: (row) => row.best && figure(row.best, board.headline).value, cell: (row) => row.best ? [el("span", { class: "figure" }, show(board.headline, figure(row.best, board.headline).value)), el("span", { class: "ends" }, `${row.best.prompts.id}, of ${row.choices}`)] : soft(NONE) },
    { key: "size", label: "Size M", title: "Parameters in millions, both towers", number: true, value: ({ run }) => number(run.card.parameters), cell: ({ run }) => number(run.card.parameters) === null ? NONE : (run.card.parameters / 1e6).toFixed(run.card.parameters < 1e7 ? 1 : 0) },
    { key: "rate", label: "Tiles/s", title: "Where no embedding came from the cache; compare only on one device", number: true, value: ({ run }) => number(run.rate), cell: ({ run }) => number(run.rate) === null ? soft(NONE) : [el("span", { class: "figure" }, count(Math.round(run.rate))), el("span", { class: "ends" }, String(run.environment.device_name || run.environment.device || ""))] },
  ];
}

// Rows as a reader takes them away.
function plainRow(board, row) {
  const out = { run: row.run.id, model: row.run.card.id, title: row.run.name, family: row.run.card.family, architecture: row.run.card.architecture, prompts: row.style, section: row.status, rank_best: row.from, rank_worst: row.to, ranked: row.of, unranked_because: row.why, dataset: board.dataset, split: board.split, protocol: board.protocol, access_level: board.level, tiles: row.run.images.n_evaluated, training_data: data.words[row.run.grade], qualifications: row.run.marks.map((mark) => mark.label).join("; ") };
  for (const name of Object.keys(row.run.figures)) {
    const f = figure(row.run, name);
    Object.assign(out, { [name]: f.value, [name + "_low"]: f.low, [name + "_high"]: f.high, [name + "_interval"]: f.label });
  }
  return Object.assign(out, { best_of: row.best && row.best.id, best_of_n: row.choices, parameters: number(row.run.card.parameters), tiles_per_second: number(row.run.rate), device: row.run.environment.device_name });
}

function boardTable(board) {
  const axis = boardAxis(board), columns = boardColumns(board, axis), rows = filtered(board);
  const sections = Object.keys(SECTIONS).map((status) => ({ title: SECTIONS[status][0], note: SECTIONS[status][1], rows: rows.filter((row) => row.status === status) })).filter((section) => section.rows.length);
  const foot = Object.entries(board.lines).map(([name, value]) => el("tr", {}, columns.map((column, k) => {
    if (k === 0) return el("th", { scope: "row" }, name.replaceAll("_", " "), el("span", { class: "under" }, "reference line"));
    const own = column.key === "value" ? board.headline : column.key;
    return el("td", { class: column.number ? "num" : column.classes || null }, data.lines[name] === own ? percent(value) : column.key === "bar" && data.lines[name] === board.headline ? intervalBar(axis, { value, low: null }, linesOf(board), true) : "");
  })));
  const sort = state.sort || "value";
  const descending = state.order ? state.order === "descending" : sort === "value";
  const summary = Object.entries(board.test).map(([status, how]) => (status === "as declared" ? "" : status + ": ") + how).join("; ");
  return [
    el("p", { class: "shown", role: "status" }, `${plural(rows.length, "run")} of ${count(rowsOf(board).length)}`),
    rows.length ? dataTable({
      label: `Runs on ${board.title}`, classes: "board", columns, sections, foot, sort, descending,
      sorted: remember,
    }) : el("p", { class: "empty" }, "No run fits these filters. ", el("button", { type: "button", class: "link", on: { click: () => go({ style: ALL, family: "", architecture: "", search: "" }) } }, "Show all runs")),
    el("p", { class: "note" }, "Ranks are intervals: [1 + number significantly better, M \u2212 number significantly worse], Holm over all pairs", summary ? ` (${summary})` : "", ". Best of is chosen on the evaluated labels, hence optimistic, and never the rank. 95 % intervals; dashed lines: ", linesOf(board).map(([name, v]) => `${name.replaceAll("_", " ")} ${percent(v)} %`).join(", "), "."),
    downloads(`board ${board.key}`, () => filtered(board).map((row) => plainRow(board, row))),
  ];
}
