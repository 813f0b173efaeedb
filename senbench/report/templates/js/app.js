// Controls, theme, and what happens when the address changes.
function chooser(name, label, options, value, act) {
  return el("div", { class: "field" }, el("label", { for: `by-${name}` }, label),
    el("select", { id: `by-${name}`, on: { change: (event) => { act(event.target.value); const again = $(`by-${name}`); if (again) again.focus(); } } }, options.map(([v, text]) => el("option", { value: v, selected: v === value }, text))));
}
let typing;
function controls(filters, ...lead) {
  const search = el("input", { id: "search", type: "search", value: state.search, autocomplete: "off", spellcheck: "false", on: { input: (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => { const at = event.target.selectionStart; go({ search: event.target.value }); const again = $("search"); again.focus(); again.setSelectionRange(at, at); }, 120);
  } } });
  return el("form", { class: "controls", role: "search", "aria-label": "Filters", on: { submit: (event) => event.preventDefault() } }, lead,
    filters.filter(([, , options]) => options.length > 1 || state.search).map(([name, label, options]) => chooser(name, label, [["", "all"], ...options.map((o) => [o, o])], state[name], (v) => go({ [name]: v }))),
    el("div", { class: "field grow" }, el("label", { for: "search" }, "Search"), search));
}
const kinds = (board, pick) => [...new Set(rowsOf(board).map(({ run }) => String(pick(run) ?? "")))].filter(Boolean).sort();
function boardName(board) {
  const several = data.boards.filter((b) => b.dataset === board.dataset && b.split === board.split && b.protocol === board.protocol && b.level === board.level).length > 1;
  return `${board.split}, ${board.protocol}, level ${board.level}${several ? `, ${titleOf(board.headline)}, images ${board.key.split("/").pop()}` : ""}`;
}
function boardView(board) {
  const datasets = [...new Map(data.boards.map((b) => [b.dataset, b.title]))];
  const styles = [...new Set(rowsOf(board).map((row) => row.style))].sort();
  const clear = { style: "", grid: "", sort: "", order: "", machine: "" };
  const lead = [
    chooser("dataset", "Dataset", datasets, board.dataset, (v) => go({ ...clear, board: data.boards.find((b) => b.dataset === v).key }, true)),
    chooser("board", "Split, protocol, access level", data.boards.filter((b) => b.dataset === board.dataset).map((b) => [b.key, boardName(b)]), board.key, (v) => go({ ...clear, board: v }, true)),
    chooser("style", "Prompts", [...styles.map((s) => [s, s === board.declared ? `${s} (declared)` : s]), [ALL, "all"]], styleOf(board), (v) => go({ style: v })),
  ];
  return [
    el("h2", { id: "title", tabindex: "-1" }, board.title, soft(` ${board.split} \u00b7 ${board.protocol} \u00b7 access level ${board.level} \u00b7 ${count(board.n)} tiles`)),
    answers(board),
    controls([["family", "Family", kinds(board, (run) => run.card.family)], ["architecture", "Architecture", kinds(board, (run) => run.card.architecture)]], lead),
    boardTable(board),
    grid(board),
    resampled(board),
    singlePrompts(board),
    labelsSaved(board),
    scatter(board, $("main").clientWidth),
  ];
}

let drawn = null;
function update() {
  state = readState();
  const published = state.board === PUBLISHED;
  const view = address({ run: "" });
  here = view;
  if (view !== drawn) {
    const board = boardOf(state.board);
    $("main").replaceChildren(...(published ? publishedBoard() : boardView(board)).flat(Infinity).filter(Boolean));
    document.title = `${published ? "As published" : board.title} \u00b7 senbench`;
    for (const [id, here] of [["to-measured", !published], ["to-published", published]]) here ? $(id).setAttribute("aria-current", "page") : $(id).removeAttribute("aria-current");
    drawn = view;
  }
  const run = runOf.get(state.run);
  if (run) openRun(run);
  else if ($("drawer").open) $("drawer").close();
}
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  $("theme").setAttribute("aria-pressed", String(dark));
}
const remembered = {
  read() { try { return localStorage.getItem("senbench-theme"); } catch { return null; } },
  write(theme) { try { localStorage.setItem("senbench-theme", theme); } catch { /* a browser that keeps nothing */ } },
};

setTheme(remembered.read());
$("theme").addEventListener("click", () => {
  const theme = $("theme").getAttribute("aria-pressed") === "true" ? "light" : "dark";
  remembered.write(theme);
  setTheme(theme);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(document.documentElement.dataset.theme));
$("skip").addEventListener("click", (event) => { event.preventDefault(); $("title").focus(); });
$("to-measured").addEventListener("click", (event) => { event.preventDefault(); history.pushState(null, "", "#"); update(); });
$("drawer-close").addEventListener("click", () => $("drawer").close());
$("drawer").addEventListener("click", (event) => { if (event.target === $("drawer")) $("drawer").close(); });
$("drawer").addEventListener("close", () => { if (state.run) go({ run: "" }, true); });
// a click anywhere on a row opens it; the link in its first cell does the same for the keyboard
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open], tr[data-run]");
  if (!opener || event.metaKey || event.ctrlKey || event.shiftKey || event.button || String(getSelection())) return;
  event.preventDefault();
  go({ run: opener.dataset.open || opener.dataset.run }, true);
});
for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) opener.setAttribute("href", to(runOf.get(opener.dataset.open)));
});
addEventListener("popstate", update);
addEventListener("hashchange", update);
let resizing, was = innerWidth;
addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => { if (innerWidth !== was) { was = innerWidth; drawn = null; update(); } }, 200); });
update();
