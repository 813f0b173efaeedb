// Everything about one run: figures, classes, calibration, prompts, contract, provenance, command, pictures.
const part = (title, ...children) => el("section", {}, el("h3", {}, title), children);
const pairsOf = (entries) => el("dl", {}, entries.filter(([, v]) => v !== undefined).map(([name, v]) => [el("dt", {}, name), el("dd", {}, v === null || v === "" ? NONE : v)]));
const code = (v) => el("code", {}, v);
const said = (v) => {
  if (v === null || v === undefined || v === "") return null;
  if (Array.isArray(v) && v.every((one) => typeof one !== "object")) return v.join(", ") || null;
  return typeof v === "object" ? JSON.stringify(v) : String(v);
};

function figuresPart(run) {
  const rows = Object.keys(run.figures).map((name) => ({ name, ...figure(run, name) }));
  return part("Figures", dataTable({ label: "Figures", columns: [
    { cell: ({ name }) => titleOf(name) },
    { number: true, cell: ({ name, value }) => show(name, value) },
    { cell: ({ name, low, high }) => between(name, low, high) || NONE },
    { cell: ({ label, level }) => el("span", { class: "wrap soft" }, label, level === undefined ? null : ` (level ${level})`) },
  ].map((column, k) => ({ ...column, plain: true, label: ["figure", "%", "95 % interval", "how"][k] })), sections: [{ rows }] }),
  downloads(`figures ${run.id}`, () => rows.map(({ name, value, low, high, label }) => ({ figure: name, value, low, high, interval: label }))));
}
function classRows(run) {
  const names = run.prompts.names, size = names.length, cells = run.confusion;
  return names.map((name, k) => {
    const sum = (pick) => Array.from({ length: size }, (_, j) => cells[pick(j)]).reduce((a, b) => a + b, 0);
    const support = sum((j) => k * size + j), predicted = sum((j) => j * size + k), hit = cells[k * size + k];
    const [low, high] = run.recalls[k] || [];
    return { name, support, predicted, precision: predicted ? hit / predicted : null, recall: support ? hit / support : null, low: number(low), high: number(high), interval: data.words[run.recallhow[k] ?? run.recallhow[0]] || "", f1: support + predicted ? (2 * hit) / (support + predicted) : null };
  });
}
// How the intervals of recalls were made, in few words: what stands before the numbers of each.
const recallNote = (rows) => {
  const kinds = [...new Set(rows.map(({ interval }) => interval.replace(/ \(.*/, "")))].filter(Boolean);
  return kinds.length ? el("p", { class: "note" }, `Intervals of recall: ${kinds.join("; ")}.`) : "";
};
function classesPart(run) {
  const rows = classRows(run);
  const columns = [
    ["class", ({ name }) => name], ["tiles", ({ support }) => count(support), true], ["predicted", ({ predicted }) => count(predicted), true],
    ["recall %", ({ recall, low, high, interval }) => [percent(recall), el("span", { class: "ends", title: interval }, between("", low, high) || "no interval")], true],
    ["", ({ recall, low, high }) => shareBar(recall, low, high)],
    ["precision %", ({ precision }) => percent(precision), true], ["F1 %", ({ f1 }) => percent(f1), true],
  ].map(([label, cell, isNumber]) => ({ label, cell, number: isNumber, plain: true, head: label ? null : () => el("span", { class: "hidden" }, "recall, drawn") }));
  const size = rows.length;
  const confusion = el("div", { class: "scroll", role: "region", "aria-label": "Confusion matrix", tabindex: "0" }, el("table", { class: "confusion" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "true \\ predicted"), rows.map((row, k) => el("th", { scope: "col", class: "num", title: row.name }, k + 1, el("span", { class: "hidden" }, " " + row.name))))),
    el("tbody", {}, rows.map((row, i) => el("tr", {}, el("th", { scope: "row" }, `${i + 1} ${row.name}`), rows.map((other, j) => {
      const n = run.confusion[i * size + j];
      return el("td", { class: `num ${n ? "h" + step(n / (row.support || 1), 0, 1) : "soft"}${i === j ? " hit" : ""}` }, n);
    }))))));
  return [
    part("Per class", dataTable({ label: "Per class", columns, sections: [{ rows }] }), recallNote(rows), downloads(`classes ${run.id}`, () => rows)),
    part("Confusion", confusion, downloads(`confusion ${run.id}`, () => rows.map((row, i) => ({ true: row.name, ...Object.fromEntries(rows.map((other, j) => [other.name, run.confusion[i * size + j]])) })))),
  ];
}
function labelsPart(run) {
  const n = run.images.n_evaluated;
  const rows = run.labels.map(([support, ap, low, high], k) => ({ name: run.prompts.names[k], support, prevalence: support / n, ap, low, high }));
  const columns = [
    ["label", ({ name }) => name], ["tiles", ({ support }) => count(support), true], ["prevalence %", ({ prevalence }) => percent(prevalence), true],
    ["average precision %", ({ ap, low, high }) => [percent(ap), el("span", { class: "ends" }, between("", low, high) || "no interval")], true],
    ["", ({ ap, low, high, prevalence }) => shareBar(ap, low, high, prevalence)],
  ].map(([label, cell, isNumber]) => ({ label, cell, number: isNumber, plain: true, head: label ? null : () => el("span", { class: "hidden" }, "average precision, drawn") }));
  return part("Per label", dataTable({ label: "Per label", columns, sections: [{ rows }] }), el("p", { class: "note" }, "Dashed: prevalence, what random scores reach. ", plural(run.unlabelled, "tile"), " without any label."), downloads(`labels ${run.id}`, () => rows));
}
function groupsPart(run) {
  if (!run.groups.length) return null;
  const rows = run.groups.map(([name, n, labels, prevalence, value, low, high, how]) => ({ group: data.words[name], n, labels, prevalence, value, low, high, interval: data.words[how] }));
  const columns = [["group", ({ group }) => group], ["tiles", ({ n }) => count(n), true], ["labels", ({ labels }) => labels, true], ["prevalence %", ({ prevalence }) => percent(prevalence), true], ["macro mAP %", ({ value, low, high, interval }) => [percent(value), el("span", { class: "ends" }, between("", low, high) || interval)], true]].map(([label, cell, isNumber]) => ({ label, cell, number: isNumber, plain: true }));
  return part("By country", dataTable({ label: "By country", columns, sections: [{ rows }] }), el("p", { class: "note" }, "Groups differ in their labels and prevalence: compare models within a group, not groups."), downloads(`countries ${run.id}`, () => rows));
}
function calibrationPart(run) {
  if (run.images.task === "multi-label") return null;
  const ece = figure(run, "ece");
  const l1 = run.figures.ece_l1 ? figure(run, "ece_l1").value : null;
  const usual = l1 === null ? "" : `; the usual ECE (l1, 15 bins of equal width) ${percent(l1)} %`;
  const why = ece.value === null ? ece.label.replace("none: ", "") : "the version of senbench that made this result did not keep the bins";
  return part("Reliability", run.bins.length ? [reliability(run.bins), el("p", { class: "note" }, `${run.bins.length} bins of equally many tiles; dashed: perfectly calibrated. Debiased ECE (l2) ${percent(ece.value)} %${ece.low === null ? "" : `, ${between("", ece.low, ece.high)}`}${usual}.`)] : el("p", { class: "empty" }, `No diagram: ${why}.`));
}
function anchorsPart(run) {
  if (!run.anchors) return null;
  const [split, n, found] = run.anchors;
  const rows = found.map(([title, metric, value, low, high, how]) => ({ title, metric, value, low, high, how: data.words[how] }));
  const columns = [["classifier", ({ title }) => title], ["%", ({ metric, value, low, high, how }) => [show(metric, value), el("span", { class: "ends" }, between(metric, low, high) || how)], true], ["figure", ({ metric }) => titleOf(metric)]].map(([label, cell, isNumber]) => ({ label, cell, number: isNumber, plain: true }));
  return part("For scale: supervised", dataTable({ label: "Supervised anchors", columns, sections: [{ rows }] }), el("p", { class: "note" }, `Trained on the same embeddings with the labels of ${count(n)} tiles of ${split}: access level 3, never ranked with zero-shot figures.`));
}
function labelsSavedPart(run) {
  if (!run.labels_saved) return null;
  const [told, curves] = run.labels_saved;
  const rows = curves.map(([title, points], j) => ({ title, j, points }));
  const columns = [{ label: "labels per class", cell: ({ title, j }) => [el("span", { class: `key f${j}` }), title] }, ...curves[0][1].map(([k], i) => ({ label: String(k), number: true, cell: ({ points }) => [percent(points[i][1]), el("span", { class: "ends" }, between("", points[i][2], points[i][3]))] }))].map((column) => ({ plain: true, ...column }));
  return part("Labels that zero-shot saves", labelCurves(curves, figure(run, "top1").value), dataTable({ label: "Top-1 % by labels per class", columns, sections: [{ rows }] }), ...told.map((place) => el("p", { class: "note" }, data.words[place] + ".")));
}
function promptsPart(run) {
  const pack = run.prompts;
  return part("Prompts", el("p", { class: "soft" }, `${pack.id}, ${plural(pack.n, "prompt")}, ${pack.class_names} class names, from ${pack.source}, sha256 `, code(String(pack.hash).slice(0, 16))),
    pack.keys.map((key, k) => el("details", {}, el("summary", {}, pack.names[k] || key, soft(` ${pack.texts[k].length}`)), el("ul", {}, pack.texts[k].map((place) => el("li", {}, data.words[place]))))));
}
function provenancePart(run) {
  const { card, images, settings, environment } = run, versions = environment.versions || {};
  return part("Provenance", pairsOf([
    ["run", code(run.id)], ["weights sha256", said(card.weights_sha256) && code(card.weights_sha256)],
    ["data", `${images.id}, ${images.split}, ${count(images.n_evaluated)} of ${count(images.n_expected)} tiles, from ${data.words[run.source]}`],
    ["index hash", code(said(images.index_hash) || NONE)], ["content hash", said(run.content) && code(run.content)], ["left out", run.skipped ? plural(run.skipped, "tile") : undefined],
    ["training data", `${data.words[run.grade]}${(card.trained_on || []).length ? ": " + card.trained_on.join(", ") : ""}`],
    ["class names", said(images.class_names)], ["radiometry", [said(images.radiometry), said(images.band_order)].filter(Boolean).join(", ")],
    ["protocol", `${settings.protocol}, access level ${settings.access_level}${(settings.overrides || []).length ? ", changed: " + settings.overrides.join(", ") : ""}`],
    ["ensemble", `${settings.ensemble}, post-processing ${settings.postprocess}`], ["preprocessing", settings.preprocess ? said(settings.preprocess) : "the model's own"],
    ["clusters", run.clusters ? `${run.clusters[0]}, ${run.clusters[1]} effective, design effect ${run.clusters[2] === null ? NONE : run.clusters[2].toFixed(1)}` : undefined],
    ["ties", count(run.ties)], ["device", `${environment.device_name} (${environment.device}), ${environment.dtype}`],
    ["versions", Object.entries({ senbench: data.words[run.version], ...versions }).filter(([, v]) => v).map(([name, v]) => `${name} ${v}`).join(", ")],
    ["made", run.created],
  ]));
}
const CONTRACT = ["id", "family", "architecture", "activation", "text_activation", "preprocess", "bands", "unit", "level", "context_length", "tokenizer", "logit_scale", "logit_bias", "embed_dim", "parameters", "layout", "weights", "companions", "licence", "commercial_use", "citation", "derived_from", "frozen", "frozen_reported", "verified", "note"];
function commandPart(run) {
  const pre = el("pre", { tabindex: "0", "aria-label": "Command" }, run.command);
  const copied = el("span", { role: "status", class: "soft" });
  const copy = async () => {
    getSelection().selectAllChildren(pre);
    try { await navigator.clipboard.writeText(run.command); copied.textContent = " copied"; } catch { copied.textContent = " selected: copy it with the keyboard"; }
  };
  return part("Make it again", pre, el("p", {}, el("button", { type: "button", class: "link", on: { click: copy } }, "Copy"), copied));
}
function picturesPart(run) {
  if (!run.pictures.length) return null;
  return part("Tiles", el("div", { class: "tiles" }, run.pictures.map(([key, found]) => el("figure", {}, found.map(([name, place]) => el("img", { src: "data:image/webp;base64," + data.pictures[place], alt: name, title: name, width: 64, height: 64 })), el("figcaption", {}, key)))));
}

// A modal dialog prints its first page only: a copy in the flow prints whole.
addEventListener("beforeprint", () => { if ($("drawer").open) document.body.append(el("div", { id: "printed" }, $("drawer-body").cloneNode(true))); });
addEventListener("afterprint", () => { if ($("printed")) $("printed").remove(); });

function openRun(run) {
  const board = data.boards.find((b) => b.rows.some(([place]) => runs[place] === run)) || data.boards[0];
  const row = rowsOf(board).find((r) => r.run === run);
  const top = figure(run, board.headline);
  $("drawer-body").replaceChildren(
    el("p", { class: "soft" }, `${board.title} \u00b7 ${run.images.split} \u00b7 ${board.protocol} \u00b7 access level ${board.level}`),
    el("h2", { id: "drawer-title", tabindex: "-1" }, run.name, soft(` ${run.prompts.id} prompts`), marks(row)),
    el("p", { class: "headline" }, el("strong", {}, `${show(board.headline, top.value)} %`), ` ${titleOf(board.headline)}`, soft(top.low === null ? ` ${top.label}` : `, 95 % ${between(board.headline, top.low, top.high)}`)),
    run.basis === null ? "" : el("p", { class: "soft" }, data.words[run.basis]),
    el("p", { class: "soft" }, row.from === null ? `Not ranked: ${row.why}.` : `Rank ${row.from === row.to ? row.from : `${row.from} to ${row.to}`} of ${row.of}.`, " ", el("a", { href: "#run=" + encodeURIComponent(run.id) }, "Permanent link")),
    run.warnings.length ? el("ul", { class: "warnings" }, run.warnings.map((place) => el("li", {}, data.words[place]))) : "",
    figuresPart(run), ...(run.confusion.length ? classesPart(run) : []), ...(run.labels.length ? [labelsPart(run)] : []), groupsPart(run) || "", calibrationPart(run) || "", anchorsPart(run) || "", labelsSavedPart(run) || "", picturesPart(run) || "",
    promptsPart(run), provenancePart(run), part("Contract", pairsOf(CONTRACT.filter((name) => said(run.card[name])).map((name) => [name.replaceAll("_", " "), said(run.card[name])]))), commandPart(run));
  const drawer = $("drawer");
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  $("drawer-title").focus();
}
