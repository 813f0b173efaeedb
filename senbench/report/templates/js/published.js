// Figures as published beside measured ones.
function publishedRows() {
  const { columns, rows, texts, stated } = data.published;
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.map((values) => Object.fromEntries(columns.map((name, k) => [name, k < stated ? texts[values[k]] : values[k]])))
    .map((row) => ({ ...row, value: Number(row.value) / 100, beside: row.run === null ? null : runs[row.run], run: null }))
    .filter((row) => (!state.style || state.style === ALL || row.prompts === state.style) && (!state.family || row.model === state.family) && (!state.architecture || row.arch === state.architecture) && words.every((word) => [row.source, row.model, row.weights, row.arch, row.dataset, row.prompts, row.templates, row.class_names, row.activation, row.tool, row.protocol, row.metric].join(" ").toLowerCase().includes(word)));
}
// Templates and class names in full, where the source gives them; the name of the prompts stands above.
function inFull(row) {
  if (!row.templates && !row.class_names) return null;
  return el("details", {}, el("summary", { class: "soft" }, "in full"), row.templates && row.templates !== row.prompts ? el("ul", {}, row.templates.split(" | ").map((text) => el("li", {}, text))) : null, row.class_names ? el("p", { class: "under wrap" }, `Class names: ${row.class_names}`) : null);
}
const activationOf = (row) => (!row.activation ? soft("not stated") : row.own_activation ? `${row.activation}, where the model's card says ${row.own_activation}` : row.activation);
function publishedBoard() {
  const rows = publishedRows();
  const measured = data.published.rows.some((row) => row[data.published.columns.indexOf("run")] !== null);
  const all = (name) => { const at = data.published.columns.indexOf(name); return [...new Set(data.published.rows.map((r) => data.published.texts[r[at]]))].filter(Boolean).sort(collator.compare); };
  const columns = [
    { key: "model", label: "Model", value: (r) => r.model, cell: (r) => [r.model, el("span", { class: "under" }, [r.arch, r.weights].filter(Boolean).join(" "))] },
    { key: "dataset", label: "Dataset", value: (r) => r.dataset, cell: (r) => [r.dataset, el("span", { class: "under wrap" }, r.split, r.n ? `, ${count(Number(r.n))} tiles` : "", r.split_list ? `; ${r.split_list}` : "")] },
    { key: "prompts", label: "Prompts", value: (r) => r.prompts, cell: (r) => [el("span", { class: "wrap" }, r.prompts), inFull(r)] },
    { key: "activation", label: "Activation, tool", value: (r) => r.activation, cell: (r) => [el("span", { class: "wrap" }, activationOf(r)), el("span", { class: "under wrap" }, r.tool)] },
    { key: "metric", label: "Figure", value: (r) => r.metric, cell: (r) => [el("span", { class: "wrap" }, r.metric), r.printed_as ? el("span", { class: "under wrap" }, `printed as ${r.printed_as}`) : null] },
    { key: "value", label: "Published %", number: true, value: (r) => r.value, cell: (r) => el("span", { class: "figure" }, percent(r.value, 2)) },
    { key: "measured", label: "Measured %", number: true, value: (r) => r.beside && figure(r.beside, r.figure).value, cell: (r) => r.beside ? [link(r.beside, show(r.figure, figure(r.beside, r.figure).value)), el("span", { class: "ends" }, between(r.figure, figure(r.beside, r.figure).low, figure(r.beside, r.figure).high))] : soft("not measured") },
    { key: "difference", label: "Difference", number: true, value: (r) => r.difference, cell: (r) => r.difference === null ? (r.beside ? el("span", { class: "soft", title: r.unlike.join("; ") }, "none") : soft(NONE)) : signed(r.difference, 2) },
    { key: "why", label: "What is not the same", plain: true, cell: (r) => el("span", { class: "wrap soft" }, r.unlike.join("; ")) },
    { key: "source", label: "Source", value: (r) => r.source, cell: (r) => el("span", { class: "wrap soft" }, r.source, r.note ? `; ${r.note}` : "") },
  ].filter((column) => measured || !["why", "difference"].includes(column.key));
  const sort = state.sort || "value", descending = state.order ? state.order === "descending" : sort === "value";
  return [
    el("h2", { id: "title", tabindex: "-1" }, "As published"),
    el("p", { class: "lead" }, "Figures from papers and repositories, as they stand there. A measured figure is differenced only where dataset, split, number of tiles, metric, prompts and protocol are all the same; otherwise the two stand side by side."),
    measured ? null : el("p", { class: "banner" }, el("strong", {}, "Nothing has been measured yet"), " with the released weights of these models: every figure here is someone else's, none is senbench's."),
    controls([["family", "Model", all("model")], ["architecture", "Architecture", all("arch")]]),
    toldApart(rows),
    el("h3", { id: "figures-title", tabindex: "-1" }, "Every figure"),
    el("p", { class: "shown", role: "status" }, `${plural(rows.length, "figure")} of ${data.published.rows.length}`),
    dataTable({ label: "Published figures", classes: "published", columns, sections: [{ rows: rows.map((r) => ({ ...r })) }], sort, descending, sorted: remember }),
    downloads("as published", () => rows.map(({ beside, figure: name, ...r }) => ({ ...r, unlike: r.unlike.join("; "), run: beside && beside.id, measured: beside && figure(beside, name).value, low: beside && figure(beside, name).low, high: beside && figure(beside, name).high }))),
  ];
}
