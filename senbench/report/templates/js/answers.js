// The three questions a reader brings, answered from the board in one line each.
function list(names) {
  const shown = names.slice(0, 3);
  return shown.join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
}
const aboveChance = ({ run }) => !marked(run, "at-chance");
const NO_MODEL = ["No model is shown to be above chance", "The intervals of the best do not lie above chance."];
function whichModel(board) {
  const status = ["as declared", "synthetic", "not zero-shot"].find((s) => rowsOf(board).some((row) => row.status === s && row.from !== null));
  if (!status) {
    const declared = rowsOf(board).filter((row) => row.style === board.declared);
    const why = declared.map((row) => row.why);
    if (declared.length === 1 && declared[0].value !== null && !declared[0].apart) {
      if (!aboveChance(declared[0])) return NO_MODEL;
      const [row] = declared, ends = between(board.headline, row.low, row.high);
      return [`Only ${row.run.name}: ${show(board.headline, row.value)} %`, `${titleOf(board.headline)} with ${row.style} prompts${ends ? `, ${ends}` : ""}; a rank needs a second run to compare it with.`];
    }
    return ["Nothing is ranked here", why.length ? `${board.declared} prompts: ${list([...new Set(why)])}.` : board.declared ? `No run with the declared prompts, ${board.declared}.` : "The protocol declares no prompts."];
  }
  const ranked = rowsOf(board).filter((row) => row.status === status && row.from !== null);
  const first = ranked.filter((row) => row.from === 1).sort((a, b) => b.value - a.value);
  const names = first.filter(aboveChance).map((row) => row.run.name);
  const mark = status === "as declared" ? "" : ` (${status})`;
  const told = `with ${board.declared} prompts${independent(board)}`;
  if (!names.length) return NO_MODEL;
  // a rank interval that ends at 1: every other is significantly worse
  if (first.length === 1 && first[0].to === 1) return [names[0] + mark, `significantly better than the other ${ranked.length - 1}, ${told}`];
  const tied = Math.max(first.length, first[0].to);
  if (names.length === 1) return ["No single best model is shown", `${tied} of ${ranked.length} cannot be told from the best${first.length > 1 ? `, ${first.length - 1} of them not from chance` : ""}${mark}, ${told}`];
  return [`${list(names)}${mark}`, `${tied} of ${ranked.length} cannot be told from the best, ${told}`];
}
function whichPrompts(board) {
  const { pairs, styles } = differences(board);
  const reference = board.declared && styles.includes(board.declared) ? board.declared : styles[0];
  if (styles.length < 2) return ["One style only", `${styles[0] || "nothing"}: run others to compare.`];
  const tally = styles.filter((s) => s !== reference).map((style) => {
    const found = [...pairs.values()].map((of) => of.get(style + "\n" + reference)).filter(Boolean);
    const sizes = found.map((d) => d.value).sort((a, b) => a - b);
    return { style, n: found.length, middle: sizes.length ? (sizes[(sizes.length - 1) >> 1] + sizes[sizes.length >> 1]) / 2 : 0, up: found.filter((d) => d.sure && d.value > 0).length, down: found.filter((d) => d.sure && d.value < 0).length };
  }).filter((t) => t.n);
  if (!tally.length) return [`${styles.length} styles, none paired`, "Per-image predictions are missing or the level allows no paired test."];
  tally.sort((a, b) => b.up - b.down - (a.up - a.down) || a.style.localeCompare(b.style));
  const lead = tally[0];
  // the paired tests hold for the prompts as they are; whether the style is better, these say
  const anew = drawnAnew(board).filter((row) => row.kind === "styles" && row.low !== null && row.terms.some((t) => t.style === reference));
  const own = anew.filter((row) => row.terms.some((t) => t.style === lead.style));
  const drawn = anew.length ? ` With prompts drawn anew ${count(anew.filter((row) => row.sure).length)} of ${plural(anew.length, "difference")} to ${reference} can be told from 0.` : "";
  const head = tally.every((t) => !t.up && !t.down) ? `No difference to ${reference} is shown`
    : own.length && !own.some((row) => row.sure) ? `Differences to ${reference} hold for these very prompts only`
    : lead.up > lead.down && lead.n === 1 ? `${lead.style} beats ${reference} by ${percent(lead.middle)} points, with one model`
    : lead.up > lead.down ? `${lead.style} beats ${reference} in ${lead.up} of ${plural(lead.n, "model")}, by ${percent(lead.middle)} points at the median` : `No style beats ${reference} on balance`;
  const one = tally.every((t) => t.n === 1);
  const told = tally.slice(0, 4).map((t) => `${t.style} ${signed(t.middle)} (${one ? (t.up || t.down ? "significant" : "not significant") : `${t.up} better, ${t.down} worse of ${t.n}`})`);
  return [head, `${one ? "Difference" : "Median difference"} to ${reference} in points: ${told.join(", ")}${independent(board)}${drawn}`];
}
// without positions a test takes every tile for independent
const independent = (board) => rowsOf(board).some((row) => !row.apart && row.label.startsWith("iid")) ? "; i.i.d. tests, too sure where tiles share a place." : ".";
function trust(board) {
  const all = rowsOf(board), of = (status) => all.filter((row) => row.status === status).length;
  const sound = of("as declared");
  const labels = [...new Set(all.map((row) => row.label))];
  const spatial = labels.find((l) => l.startsWith("cluster"));
  const parts = [];
  if (labels.some((l) => l.startsWith("iid"))) parts.push("i.i.d. intervals: too narrow where tiles share a place");
  if (spatial) parts.push(`intervals take clusters of tiles as samples${spatial.replace(/^[^(]*/, " ").trimEnd()}`);
  for (const status of Object.keys(SECTIONS).slice(1)) if (of(status)) parts.push(`${of(status)} ${status === "changed" ? "changed against the protocol" : status}`);
  const detectable = board.detectable["as declared"] || board.detectable.synthetic;
  if (detectable) parts.push(`differences below ${percent(detectable)} points go undetected`);
  const head = sound ? `${sound} of ${plural(all.length, "run")} complete, zero-shot, as declared` : of("synthetic") === all.length ? "A demonstration: all runs are synthetic" : `No run of ${all.length} is complete, real and zero-shot`;
  return [head, parts.join("; ") + (parts.length ? "." : "")];
}
function answers(board) {
  const cards = [["Which model?", whichModel], ["Which prompts?", whichPrompts], ["Can I trust it?", trust]];
  return el("div", { class: "answers" }, cards.map(([question, answer]) => {
    const [head, detail] = answer(board);
    return el("div", { class: "answer" }, el("h3", {}, question), el("p", { class: "say" }, head), el("p", { class: "soft" }, detail));
  }));
}
