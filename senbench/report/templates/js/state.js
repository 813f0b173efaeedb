// What is shown is in the address, so that every view and every run has a permanent link.
const PUBLISHED = "published";
const FIELDS = ["board", "style", "family", "architecture", "search", "sort", "order", "grid", "x", "machine", "cause", "run"];
const ALL = "*";
let state = {};

function readState() {
  const given = new URLSearchParams(location.hash.slice(1));
  const found = Object.fromEntries(FIELDS.map((name) => [name, given.get(name) || ""]));
  if (!found.board) {
    const place = runs.indexOf(runOf.get(found.run));
    found.board = (data.boards.find((b) => b.rows.some(([k]) => k === place)) || boardOf("")).key;
  }
  return found;
}
function address(change) {
  const next = { ...state, ...change };
  const given = new URLSearchParams(FIELDS.filter((name) => next[name]).map((name) => [name, next[name]]));
  return "#" + given.toString();
}
// Address of a run from where the reader is. A page has a thousand such links, so `here` is kept by `update`, and what
// has changed since gets into a link when it is pointed at.
let here = "#";
const to = (run) => `${here}${here.length > 1 ? "&" : ""}run=${encodeURIComponent(run.id)}`;
// The order of a table is in the address, but changing it draws nothing anew.
function remember(sort, descending) {
  history.replaceState(null, "", address({ sort, order: descending ? "descending" : "ascending" }));
  state = readState();
  here = drawn = address({ run: "" });
}
function go(change, keep) {
  const target = address(change);
  if (target === (location.hash || "#")) return;
  if (keep) history.pushState(null, "", target);
  else history.replaceState(null, "", target);
  update();
}
