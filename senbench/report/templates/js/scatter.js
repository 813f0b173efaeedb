// Accuracy against size or speed.
const FAMILIES = 8;
const known = [...new Set(data.models.map((card) => String(card.family)))].sort();
function familyClass(family) {
  const place = known.indexOf(family);
  return place < FAMILIES ? `f${place}` : "f-other";
}
function scatter(board, width) {
  const speed = state.x === "rate";
  const rows = filtered(board).filter((row) => row.value !== null);
  const devices = [...new Set(rows.filter((row) => number(row.run.rate) !== null).map((row) => String(row.run.environment.device_name)))].sort();
  const device = devices.includes(state.machine) ? state.machine : devices[0];
  const xOf = (row) => (speed ? (String(row.run.environment.device_name) === device ? number(row.run.rate) : null) : number(row.run.card.parameters));
  const points = rows.filter((row) => xOf(row) > 0);
  const left = rows.length - points.length;
  const select = el("select", { id: "x", on: { change: (event) => { go({ x: event.target.value }); $("x").focus(); } } }, el("option", { value: "" }, "size (parameters)"), el("option", { value: "rate", selected: speed }, "speed (tiles per second)"));
  const machine = speed && devices.length > 1 && el("select", { id: "machine", on: { change: (event) => { go({ machine: event.target.value }); $("machine").focus(); } } }, devices.map((d) => el("option", { value: d, selected: d === device }, d)));
  const out = el("section", { "aria-labelledby": "scatter-title" },
    el("h3", { id: "scatter-title", tabindex: "-1" }, `${titleOf(board.headline)} against cost`),
    el("p", { class: "control" }, el("label", { for: "x" }, "Against "), select, machine && [" ", el("label", { for: "machine" }, "on "), machine], speed && devices.length === 1 && soft(` on ${device}`)));
  if (!points.length) {
    out.append(el("p", { class: "empty" }, speed ? "No run here has a throughput: a rate that counts cached embeddings would be none." : "No run here states its number of parameters."));
    return out;
  }
  const height = 340, side = 46, w = Math.max(300, width);
  const xs = points.map(xOf), low = Math.min(...xs) / 1.35, high = Math.max(...xs) * 1.35;
  const y = nice(0, Math.max(...points.map((row) => row.high ?? row.value)), 5);
  const at = (v) => side + (Math.log(v / low) / Math.log(high / low)) * (w - side - 14);
  const down = (v) => height - 40 - ((v - y.from) / (y.to - y.from)) * (height - 54);
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) for (const m of [1, 2, 5]) if (m * 10 ** power >= low && m * 10 ** power <= high) ticks.push(m * 10 ** power);
  const unit = (v) => (speed ? count(v) : v >= 1e9 ? `${v / 1e9} G` : `${v / 1e6} M`);
  const taken = [];
  const label = (row) => {
    const text = `${row.run.name}${styleOf(board) === ALL ? `, ${row.style}` : ""}`.slice(0, 36), x0 = at(xOf(row)) + 9, y0 = down(row.value) + 4, box = [x0, y0 - 9, x0 + 6.4 * text.length, y0 + 3];
    if (points.length > 24 || box[2] > w || taken.some((b) => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1])) return null;
    taken.push(box);
    return svg("text", { class: "name", x: x0, y: y0 }, text);
  };
  const families = [...new Set(points.map((row) => String(row.run.card.family)))].sort();
  out.append(
    svg("svg", { class: "scatter", width: w, height, viewBox: `0 0 ${w} ${height}`, role: "group", "aria-label": `${titleOf(board.headline)} against ${speed ? "speed" : "size"}, ${points.length} runs` },
      y.ticks.map((v) => [svg("line", { class: "grid", x1: side, x2: w - 6, y1: down(v), y2: down(v) }), svg("text", { x: side - 8, y: down(v) + 4, "text-anchor": "end" }, percent(v, 0))]),
      ticks.map((v) => svg("text", { x: at(v), y: height - 20, "text-anchor": "middle" }, unit(v))),
      linesOf(board).map(([name, v], k) => [svg("line", { class: `reference r${k}`, x1: side, x2: w - 6, y1: down(v), y2: down(v) }), svg("text", { x: side + 4 + 90 * k, y: down(v) - 4 }, name.replaceAll("_", " "))]),
      svg("text", { x: (side + w) / 2, y: height - 3, "text-anchor": "middle" }, speed ? "tiles per second, log scale" : "parameters, log scale"),
      svg("text", { x: 10, y: height / 2, "text-anchor": "middle", transform: `rotate(-90 10 ${height / 2})` }, `${titleOf(board.headline)} %`),
      points.map((row) => svg("a", { href: to(row.run), "data-open": row.run.id, "aria-label": `${row.run.name}, ${row.style}: ${show(board.headline, row.value)} %, ${unit(Number(xOf(row).toPrecision(3)))}` },
        number(row.low) !== null && svg("line", { class: `whisker ${familyClass(String(row.run.card.family))}`, x1: at(xOf(row)), x2: at(xOf(row)), y1: down(row.low), y2: down(row.high) }),
        svg("circle", { class: `point ${familyClass(String(row.run.card.family))}${row.status === "as declared" ? "" : " open"}`, cx: at(xOf(row)), cy: down(row.value), r: 5.5 }, svg("title", {}, `${row.run.name}, ${row.style}: ${show(board.headline, row.value)} %`)))),
      points.map(label)),
    el("ul", { class: "legend" }, families.slice(0, 12).map((family) => el("li", {}, svg("svg", { width: 12, height: 12, "aria-hidden": "true" }, svg("circle", { class: `point ${familyClass(family)}`, cx: 6, cy: 6, r: 5 })), " ", family)), families.length > 12 && el("li", {}, `and ${families.length - 12} more`)),
    el("p", { class: "note" }, "The runs of the table above", left ? `; ${plural(left, "run")} without ${speed ? "a throughput on this device" : "a stated size"} left out` : "", ". Open points are not ranked with the others."),
    downloads(`cost ${board.key}`, () => points.map((row) => ({ run: row.run.id, model: row.run.card.id, prompts: row.style, value: row.value, low: row.low, high: row.high, parameters: number(row.run.card.parameters), tiles_per_second: number(row.run.rate), device: row.run.environment.device_name }))));
  return out;
}
