// How far the same model moves with its prompt: what every single prompt gets right.
function singleRows(board) {
  return board.singles.flatMap(({ n, prompts, rows }) => rows.map(([place, right, together, averaged]) => {
    const run = runs[place], values = right.map((k) => k / n), transclip = together.map((k) => k / n);
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(values.length - 1, 1));
    const best = values.indexOf(Math.max(...values)), worst = values.indexOf(Math.min(...values));
    return { run, values, transclip, averaged: averaged === null ? null : averaged / n, mean, deviation, own: figure(run, board.headline).value, best: values[best], worst: values[worst], prompt: data.words[prompts[best]], poorest: data.words[prompts[worst]], prompts: prompts.map((word) => data.words[word]) };
  })).sort((a, b) => b.own - a.own);
}
function singlePrompts(board) {
  const rows = singleRows(board);
  if (!rows.length) return null;
  const axis = nice(...[Math.min, Math.max].map((of) => of(...rows.flatMap((row) => [...row.values, row.own]))));
  const dots = (row) => figureLine({ groups: [["single prompt", row.values.map((value, k) => ({ value, source: row.prompts[k], prompts: "alone", split: board.split }))], ["as run", [{ value: row.own, source: row.run.prompts.id, prompts: "the prompts of the run", split: board.split }]]] }, axis);
  const columns = [
    { label: "Model", cell: (row) => [link(row.run, row.run.name), el("span", { class: "under" }, `${row.run.prompts.id}: ${percent(row.own)} %`)] },
    { label: "Single prompts %", cell: dots },
    { label: "Lowest to highest %", number: true, cell: (row) => [`${percent(row.worst)} to ${percent(row.best)}`, el("span", { class: "under" }, `${percent(row.best - row.worst)} points apart`)] },
    { label: "Mean, deviation %", number: true, cell: (row) => `${percent(row.mean)}, ${percent(row.deviation)}` },
    { label: "Best single prompt, level 3", cell: (row) => [el("span", { class: "figure" }, percent(row.best)), el("span", { class: "under wrap" }, row.prompt)] },
    ...(rows.some((row) => row.averaged !== null) ? [{ label: "With TransCLIP %, level 2", number: true, cell: (row) => (row.averaged === null ? NONE : [el("span", { class: "figure" }, percent(row.averaged)), el("span", { class: "under" }, `single: ${percent(Math.min(...row.transclip))} to ${percent(Math.max(...row.transclip))}`)]) }] : []),
  ].map((column) => ({ ...column, plain: true }));
  return el("section", { "aria-labelledby": "singles-title" },
    el("h3", { id: "singles-title", tabindex: "-1" }, "How far does one model move with its prompt?"),
    dataTable({ label: "Single prompts", classes: "findings", columns, sections: [{ rows }] }),
    el("p", { class: "note" }, `Every dot is one of ${count(rows[0].prompts.length)} prompts alone, the other colour the prompts of the run. The best single prompt is known only after looking at the labels: access level 3, never ranked, and no figure to expect of it on other images.${rows.some((row) => row.averaged !== null) ? " TransCLIP classifies all images together, without labels: access level 2, beside the board and never ranked on it." : ""}`),
    downloads(`single prompts ${board.key}`, () => rows.flatMap((row) => row.prompts.map((prompt, k) => ({ run: row.run.id, model: row.run.name, prompt, [board.headline]: row.values[k], ...(row.transclip.length ? { transclip: row.transclip[k] } : {}) })))));
}
