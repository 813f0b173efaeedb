// The data of the page, and how nodes are made: names from results only ever become text.
const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs.map((values) => {
  const run = Object.fromEntries(data.columns.map((name, k) => [name, values[k]]));
  run.card = data.models[run.model];
  run.name = data.words[run.name];
  run.marks = run.marks.map(([code, label, sentence]) => ({ code, label: data.words[label], sentence: data.words[sentence] }));
  run.images = data.data[run.data];
  run.prompts = data.packs[run.pack];
  run.settings = data.settings[run.how];
  run.environment = data.machines[run.machine];
  return run;
});
const runOf = new Map(runs.map((run) => [run.id, run]));
const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const name in attributes) {
    const value = attributes[name];
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  for (const child of children) {
    if (Array.isArray(child)) fill(node, null, child);
    else if (child !== null && child !== undefined && child !== false) node.append(child.nodeType ? child : String(child));
  }
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const soft = (...children) => el("span", { class: "soft" }, ...children);
const tag = (text, title) => el("span", { class: "tag", title }, text);

const NONE = "\u2013";
const RAW = new Set(["nll", "brier"]);
const number = (v) => (typeof v === "number" && Number.isFinite(v) ? v : null);
// As everywhere else in senbench: exact halves to the even digit, where toFixed goes up.
const rounded = (v, digits) => {
  const text = v.toFixed(digits);
  const half = Math.abs(v * 2 ** (digits + 1)) % 2 === 1; // exact: a power of two changes no digit
  return half && Number(text.at(-1)) % 2 ? (v - 0.5 * Math.sign(v) * 0.1 ** digits).toFixed(digits) : text;
};
const percent = (v, digits = 1) => (number(v) === null ? NONE : rounded(100 * v, digits));
const signed = (v, digits = 1) => {
  if (number(v) === null) return NONE;
  const text = rounded(Math.abs(100 * v), digits);
  return (Number(text) === 0 ? "\u00b1" : v < 0 ? "\u2212" : "+") + text;
};
const grouped = new Intl.NumberFormat("en-GB");
const count = (v) => (number(v) === null ? NONE : grouped.format(v));
const show = (name, v) => (RAW.has(name) ? (number(v) === null ? NONE : v.toFixed(3)) : percent(v));
const titleOf = (name) => data.titles[name] || name.replaceAll("_", " ");
const between = (name, low, high) => (number(low) === null ? null : `${show(name, low)} to ${show(name, high)}`);
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many || one + "s"}`;

// A figure of a run: value, ends of the interval, how the interval was made.
function figure(run, name) {
  const [value, low, high, label, level] = run.figures[name] || [null, null, null, null];
  return { value: number(value), low: number(low), high: number(high), label: data.words[label] || "", level };
}

// Files that the reader takes away. A cell that a spreadsheet would run as a formula gets an apostrophe.
function guarded(value) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
  return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}
function csv(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((row) => row.map(guarded).join(",")).join("\r\n") + "\r\n";
}
function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
function downloads(name, rows) {
  const file = name.replace(/[^\w.-]+/g, "-");
  return el("p", { class: "downloads" }, soft("Table as "),
    el("button", { type: "button", class: "link", "aria-label": `Download ${name} as CSV`, on: { click: () => save(file + ".csv", "text/csv", csv(rows())) } }, "CSV"), " ",
    el("button", { type: "button", class: "link", "aria-label": `Download ${name} as JSON`, on: { click: () => save(file + ".json", "application/json", JSON.stringify(rows(), null, 1)) } }, "JSON"));
}
