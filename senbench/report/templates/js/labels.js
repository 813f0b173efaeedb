// How many labels per class reach a zero-shot figure, for the runs of a board of which it was measured.
function labelsRows(board) {
  return board.rows.map(([place]) => runs[place]).filter((run) => run.labels_saved).map((run) => {
    const [told, curves, reached] = run.labels_saved;
    return { run, own: figure(run, "top1").value, sentence: data.words[told[0]], how: data.words[told[1]], curves, reached };
  }).sort((a, b) => b.own - a.own);
}
function labelsSaved(board) {
  const rows = labelsRows(board);
  if (!rows.length) return null;
  const methods = [...new Set(rows.flatMap((row) => row.reached.map(([title]) => title)))];
  const columns = [
    { label: "Model", cell: (row) => [link(row.run, row.run.name), el("span", { class: "under" }, row.run.prompts.id)] },
    { label: "Zero-shot %", number: true, cell: (row) => el("span", { class: "figure" }, percent(row.own)) },
    ...methods.map((title) => ({ label: title, number: true, cell: (row) => {
      const [, words] = row.reached.find(([name]) => name === title) || [title, NONE];
      const [, points] = row.curves.find(([name]) => name === title) || [title, []];
      return [words, el("span", { class: "under" }, points.map(([k, v]) => `${k}: ${percent(v, 0)}`).join(", "))];
    } })),
  ].map((column) => ({ ...column, plain: true }));
  return el("section", { "aria-labelledby": "labels-title" },
    el("h3", { id: "labels-title", tabindex: "-1" }, "With how many labels per class is a zero-shot figure reached?"),
    dataTable({ label: "Labels per class that reach the zero-shot figure", classes: "findings", columns, sections: [{ rows }] }),
    el("p", { class: "note" }, "From the number with which a classifier on the same embeddings is no longer clearly worse to the one with which it is clearly better, by paired 95 % intervals; below it, top-1 % by labels per class. Access level 3, never ranked."),
    [...new Set(rows.map((row) => row.how))].map((how) => el("p", { class: "note" }, how + ".")),
    downloads(`labels per class ${board.key}`, () => rows.flatMap((row) => row.curves.flatMap(([method, points]) => points.map(([k, value, low, high]) => ({ run: row.run.id, model: row.run.name, method, labels_per_class: k, top1: value, low, high }))))));
}
