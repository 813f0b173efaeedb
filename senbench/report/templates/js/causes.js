// All published figures of one model on one line, told apart by what may be the cause of their differences.
const CAUSES = [["activation", "activation"], ["tool", "tool and version"], ["class_names", "class names"], ["prompts", "prompts"], ["split", "split"], ["metric", "metric"], ["source", "source"]];
const MEAN = new Set(["top-1 %", "mean per-class recall %"]);
const LINE = { width: 340, edge: 12, colours: 8 };
const causeOf = () => (CAUSES.some(([key]) => key === state.cause) ? state.cause : CAUSES[0][0]);
const valueOf = (row, cause) => (cause === "activation" && row.own_activation ? `${row.activation} (its card says ${row.own_activation})` : cause === "metric" && row.printed_as ? `${row.metric}, printed as ${row.printed_as}` : row[cause] || "not stated");
const extent = (rows) => rows.reduce(([low, high], { value }) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
const spread = (rows) => { const [low, high] = extent(rows); return low === high ? percent(low) : `${percent(low)} to ${percent(high)}`; };

// Figures of one model on one dataset under one metric (or under both, if that is the cause), largest spread first.
function lines(rows, cause) {
  const models = new Map();
  for (const row of rows.filter((r) => (cause === "metric" ? MEAN.has(r.metric) : r.metric === "top-1 %"))) {
    const name = row.id || [row.model, row.arch, row.weights].filter(Boolean).join(" ");
    const key = `${name}\n${row.dataset}`;
    if (!models.has(key)) models.set(key, { name, dataset: row.dataset, rows: [], groups: new Map() });
    const line = models.get(key), value = valueOf(row, cause);
    line.rows.push(row);
    if (!line.groups.has(value)) line.groups.set(value, []);
    line.groups.get(value).push(row);
  }
  const found = [...models.values()].filter((line) => line.rows.length > 1);
  for (const line of found) line.groups = [...line.groups].sort(([, a], [, b]) => extent(a)[0] - extent(b)[0]);
  return found.sort((a, b) => b.rows.length - a.rows.length || collator.compare(a.name, b.name));
}
function figureLine(line, axis) {
  const at = (v) => LINE.edge + ((v - axis.from) / (axis.to - axis.from)) * (LINE.width - 2 * LINE.edge);
  return svg("svg", { class: "figures", width: LINE.width, height: 34, viewBox: `0 0 ${LINE.width} 34`, "aria-hidden": "true" },
    svg("path", { class: "grid", d: axis.ticks.map((v) => `M${at(v).toFixed(1)} 0V22`).join("") }),
    axis.ticks.map((v) => svg("text", { x: at(v), y: 33, "text-anchor": "middle" }, percent(v, 0))),
    line.groups.map(([value, rows], k) => rows.map((row) => svg("circle", { class: `point f${k < LINE.colours ? k : "-other"}`, cx: at(row.value).toFixed(1), cy: 11, r: 4.2 }, svg("title", {}, `${percent(row.value, 2)} %, ${value}; ${row.source}; ${row.prompts}; ${row.split}`)))));
}
function toldApart(rows) {
  const cause = causeOf(), label = CAUSES.find(([key]) => key === cause)[1];
  const found = lines(rows, cause);
  if (!found.length) return null;
  const axis = nice(...extent(found.flatMap((line) => line.rows)));
  const swatch = (k) => svg("svg", { width: 11, height: 11, viewBox: "0 0 11 11", "aria-hidden": "true" }, svg("circle", { class: `point f${k < LINE.colours ? k : "-other"}`, cx: 5.5, cy: 5.5, r: 4.2 }));
  const columns = [
    { label: "Model", cell: (line) => [line.name, el("span", { class: "under" }, `${line.dataset}, ${plural(line.rows.length, "figure")}, ${spread(line.rows)} %`)] },
    { label: "Figures %", cell: (line) => figureLine(line, axis) },
    { label: `By ${label}`, cell: (line) => el("ul", { class: "causes" }, line.groups.map(([value, own], k) => el("li", {}, swatch(k), ` ${value}: `, el("strong", {}, spread(own)), soft(` (${own.length})`)))) },
  ].map((column) => ({ ...column, plain: true }));
  return el("section", { "aria-labelledby": "causes-title" },
    el("h3", { id: "causes-title", tabindex: "-1" }, "Why figures of one model differ"),
    el("div", { class: "controls" }, chooser("cause", "Tell figures apart by", CAUSES, cause, (value) => go({ cause: value }))),
    dataTable({ label: "Published figures of one model on one line", classes: "published", columns, sections: [{ rows: found }] }),
    el("p", { class: "note" }, `${cause === "metric" ? "Top-1 and mean recall over classes" : "Top-1"}, of models with at least two figures; in brackets how many figures. Causes act together: groups differ in more than what they are told apart by. "Presumed" and "its card says" follow from the tool, not from the source.`));
}
