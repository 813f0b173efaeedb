// Styles and models under prompts drawn anew: what of a difference belongs to the style, what to its sentences.
const KINDS = ["styles", "models", "interaction"];
const term = (place) => ({ run: runs[place], model: runs[place].name, style: runs[place].prompts.id });

function inWords(row) {
  const [a, b, c] = row.terms, sure = row.sure;
  const [x, y] = row.value < 0 ? [b, a] : [a, b];
  const by = `${percent(Math.abs(row.value))} points`;
  if (row.low === null) return row.how.replace("none: ", "no interval: ");
  if (row.kind === "styles") return sure ? `With ${a.model}, ${x.style} beats ${y.style} by ${by}, also for other prompts of the two styles.` : `With ${a.model}, no difference between ${a.style} and ${b.style} is shown once prompts are drawn anew.`;
  if (row.kind === "models") return sure ? `With ${a.style} prompts, ${x.model} beats ${y.model} by ${by}, also for other prompts of the style.` : `With ${a.style} prompts, no difference between ${a.model} and ${b.model} is shown once prompts are drawn anew.`;
  return sure ? `${a.style} against ${b.style} is worth ${by} ${row.value < 0 ? "less" : "more"} with ${a.model} than with ${c.model}.` : `That ${a.style} against ${b.style} is worth more with one of ${a.model} and ${c.model} is not shown.`;
}
const spanOf = (best, worst) => (best === worst ? `${best}` : `${best} to ${worst}`);
const nameOf = ({ kind, terms: [a, b] }) => (kind === "models" ? `${a.model} \u2212 ${b.model}` : `${a.style} \u2212 ${b.style}`);
const within = ({ kind, terms: [a, , c] }) => (kind === "models" ? `${a.style} prompts` : kind === "styles" ? a.model : `${a.model} \u2212 ${c.model}`);

const drawnAnew = (board) => board.resampled.rows.map(([kind, places, value, low, high, prompts, tiles, how]) => ({ kind: KINDS[kind], terms: places.map(term), value: number(value), low: number(low), high: number(high), prompts: number(prompts), tiles: number(tiles), how: data.words[how], sure: low > 0 || high < 0 }));

function resampled(board) {
  const rows = drawnAnew(board), { left, clustered, ranks, crossed } = board.resampled;
  if (!rows.length) return null;
  // of both parts together: what the two have in common counts in each
  const share = ({ prompts, tiles }) => (prompts === null || tiles === null || !(prompts + tiles) ? null : prompts ** 2 / (prompts ** 2 + tiles ** 2));
  const columns = [
    ["Finding", (row) => [inWords(row), el("span", { class: "under" }, `${nameOf(row)}; ${within(row)}`)]],
    ["Points", (row) => [row.sure ? el("strong", {}, signed(row.value)) : signed(row.value), el("span", { class: "ends" }, row.low === null ? "no interval" : `${signed(row.low)} to ${signed(row.high)}`)], true],
    ["Variance from prompts %", (row) => percent(share(row), 0), true],
    ["", (row) => shareBar(share(row))],
  ].map(([label, cell, isNumber]) => ({ label, cell, number: isNumber, plain: true, head: label ? null : () => el("span", { class: "hidden" }, "share of prompts, drawn") }));
  return el("section", { "aria-labelledby": "resampled-title" },
    el("h3", { id: "resampled-title", tabindex: "-1" }, "Would other prompts have said the same?"),
    dataTable({ label: "Comparisons under prompts drawn anew", classes: "findings", columns, sections: [{ rows }] }),
    el("p", { class: "note" }, `Differences in ${titleOf(board.headline)} with 95 % intervals for prompts and ${clustered ? "clusters of tiles" : "tiles"} drawn anew, together; bold: the interval excludes 0, not adjusted for the number of comparisons. The rest of the variance comes from the tiles.`, clustered ? "" : " These tiles carry no positions: the intervals are too narrow.", left ? ` ${plural(left, "further comparison")} in the files factorial-*.json.` : ""),
    crossed.map((sentence) => el("p", { class: "note" }, sentence)),
    ranks.length ? el("p", { class: "note" }, `Rank intervals with ${board.declared} prompts: `, ranks.map(([place, best, worst, of]) => { const fixed = rowsOf(board).find((row) => row.run.id === runs[place].id); return `${runs[place].name} ${spanOf(fixed.from, fixed.to)} of ${of} with these prompts, ${spanOf(best, worst)} with prompts drawn anew`; }).join("; "), ".") : null,
    downloads(`drawn anew ${board.key}`, () => rows.map((row) => ({ kind: row.kind, comparison: nameOf(row), within: within(row), finding: inWords(row), points: row.value, low: row.low, high: row.high, error_prompts: row.prompts, error_tiles: row.tiles, interval: row.how, runs: row.terms.map((t) => t.run.id).join(" ") }))));
}
