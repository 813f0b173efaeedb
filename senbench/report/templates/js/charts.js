// Scales and small drawings. Geometry goes into attributes, which the content security policy allows.
function nice(low, high, steps = 4) {
  const rough = (high - low || 1) / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const from = Math.floor(low / step + 1e-9) * step, to = Math.ceil(high / step - 1e-9) * step;
  const ticks = [];
  for (let v = from; v <= to + step / 2; v += step) ticks.push(Number(v.toFixed(6)));
  return { from, to: Math.max(to, from + step), ticks };
}
const WIDTH = 190;
const scaled = (axis, v) => 12 + ((v - axis.from) / (axis.to - axis.from)) * (WIDTH - 24);

function axisHead(axis, name) {
  return el("span", { class: "axis" }, el("span", { class: "hidden" }, `${name}, interval`),
    svg("svg", { width: WIDTH, height: 14, viewBox: `0 0 ${WIDTH} 14`, "aria-hidden": "true" },
      axis.ticks.map((v) => svg("text", { x: scaled(axis, v), y: 11, "text-anchor": "middle" }, percent(v, 0)))));
}
// Value with its interval on the axis; lines are dashed.
function intervalBar(axis, { value, low, high }, lines, open) {
  if (value === null) return soft(NONE);
  return svg("svg", { class: "interval", width: WIDTH, height: 22, viewBox: `0 0 ${WIDTH} 22`, "aria-hidden": "true" },
    svg("path", { class: "grid", d: axis.ticks.map((v) => `M${scaled(axis, v).toFixed(1)} 0V22`).join("") }),
    lines.map(([, v], k) => svg("line", { class: `reference r${k}`, x1: scaled(axis, v), x2: scaled(axis, v), y1: 0, y2: 22 })),
    low !== null && svg("line", { class: "ci", x1: scaled(axis, low), x2: scaled(axis, high), y1: 11, y2: 11 }),
    svg("circle", { class: open ? "dot open" : "dot", cx: scaled(axis, value), cy: 11, r: 3.4 }));
}
// A share 0..1 as a bar with its interval and a reference tick.
function shareBar(value, low, high, reference) {
  if (number(value) === null) return soft(NONE);
  return svg("svg", { class: "share", width: 140, height: 14, viewBox: "0 0 140 14", "aria-hidden": "true" },
    svg("rect", { class: "track", x: 0, y: 4, width: 140, height: 6, rx: 3 }),
    svg("rect", { class: "value", x: 0, y: 4, width: Math.max(140 * value, 0), height: 6, rx: 3 }),
    number(low) !== null && svg("line", { class: "ci", x1: 140 * low, x2: 140 * high, y1: 7, y2: 7 }),
    number(reference) !== null && svg("line", { class: "reference r0", x1: 140 * reference, x2: 140 * reference, y1: 0, y2: 14 }));
}
function labelCurves(curves, zeroShot) {
  const sizes = curves[0][1].map(([k]) => k), values = curves.flatMap(([, points]) => points.flatMap(([, , low, high]) => [low, high])).concat(zeroShot);
  const bottom = Math.max(0, Math.floor(Math.min(...values) * 10) / 10), top = Math.min(1, Math.ceil(Math.max(...values) * 10) / 10);
  const at = (k) => 40 + (250 * sizes.indexOf(k)) / Math.max(1, sizes.length - 1), down = (v) => 210 - (195 * (v - bottom)) / (top - bottom || 1);
  const said = curves.map(([title, points]) => `${title}: ${points.map(([k, v]) => `${percent(v)} with ${k}`).join(", ")}`).join("; ");
  return svg("svg", { class: "curves", viewBox: "0 0 400 250", width: 480, height: 300, role: "img", "aria-label": `Top-1 in percent by labels per class, zero-shot ${percent(zeroShot)}. ${said}` },
    [0, 0.25, 0.5, 0.75, 1].map((part) => bottom + part * (top - bottom)).map((v) => [
      svg("line", { class: "grid", x1: 40, x2: 290, y1: down(v), y2: down(v) }), svg("text", { x: 34, y: down(v) + 3, "text-anchor": "end" }, percent(v, 0))]),
    sizes.map((k) => svg("text", { x: at(k), y: 225, "text-anchor": "middle" }, String(k))),
    svg("line", { class: "reference r0", x1: 40, x2: 290, y1: down(zeroShot), y2: down(zeroShot) }), svg("text", { x: 296, y: down(zeroShot) + 3 }, `zero-shot ${percent(zeroShot)}`),
    curves.map(([title, points], j) => svg("g", { class: `curve f${j}` },
      svg("polyline", { class: "path", points: points.map(([k, v]) => `${at(k) + 3 * j},${down(v)}`).join(" ") }),
      points.map(([k, v, low, high]) => [svg("line", { class: "whisker", x1: at(k) + 3 * j, x2: at(k) + 3 * j, y1: down(low), y2: down(high) }),
        svg("circle", { class: "dot", cx: at(k) + 3 * j, cy: down(v), r: 3 }, svg("title", {}, `${title}, ${plural(k, "label")} per class: ${percent(v)} % (${percent(low)} to ${percent(high)})`))]))),
    svg("text", { x: 165, y: 243, "text-anchor": "middle" }, "labels per class"));
}
function reliability(bins) {
  const at = (v) => 30 + 200 * v, down = (v) => 215 - 200 * v;
  const said = bins.map(([n, confidence, accuracy]) => `${n} tiles: confidence ${percent(confidence)}, right ${percent(accuracy)}`).join("; ");
  return svg("svg", { class: "reliability", viewBox: "0 0 245 250", width: 300, height: 306, role: "img", "aria-label": "Reliability: " + said },
    [0, 0.25, 0.5, 0.75, 1].map((v) => [
      svg("line", { class: "grid", x1: at(0), x2: at(1), y1: down(v), y2: down(v) }),
      svg("text", { x: 24, y: down(v) + 3, "text-anchor": "end" }, percent(v, 0)),
      svg("text", { x: at(v), y: 229, "text-anchor": "middle" }, percent(v, 0))]),
    svg("line", { class: "reference r0", x1: at(0), y1: down(0), x2: at(1), y2: down(1) }),
    svg("polyline", { class: "path", points: bins.map(([, c, a]) => `${at(c)},${down(a)}`).join(" ") }),
    bins.map(([n, c, a]) => svg("circle", { class: "dot", cx: at(c), cy: down(a), r: 3 }, svg("title", {}, `${count(n)} tiles, confidence ${percent(c)} %, right ${percent(a)} %`))),
    svg("text", { x: at(0.5), y: 245, "text-anchor": "middle" }, "mean confidence %"),
    svg("text", { x: 8, y: down(0.5), "text-anchor": "middle", transform: `rotate(-90 8 ${down(0.5)})` }, "right %"));
}
