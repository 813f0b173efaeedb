"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const make = (tag, text, kind) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
};
const [search, own, measure, model] = ["search", "own", "measure", "model"].map(at);
const [head, body] = [document.querySelector("thead"), document.querySelector("tbody")];
const figure = at("about").dataset.figure;
const about = {
  similarity: "Mean cosine of the prompt with the tiles of a class, in standard deviations from the mean of all prompts " +
    "on these tiles: above 0, the tiles of this class are closer to this prompt than to most. Framed: the prompt's own class.",
  contribution: `Change of each class's ${figure}, in points, that the prompt brings: with all prompts less without this one ` +
    "(norm-mean-norm). Above 0, the prompt helps. Framed: the prompt's own class.",
};
const steps = { similarity: [25, 75, 150, 225], contribution: [1, 10, 50, 150] };
let sort = { column: null, down: true };

data.classes.forEach((entry, k) => own.append(new Option(entry.name, k)));
data.models.forEach((entry, k) => model.append(new Option(entry.title, k)));

const cells = () => data.models[Number(model.value)][measure.value];
const signed = (value) => (value === null ? "–" : (value > 0 ? "+" : value < 0 ? "−" : "") + (Math.abs(value) / 100).toFixed(2));
const shade = (value) => {
  if (value === null) return "none";
  const size = steps[measure.value].filter((step) => Math.abs(value) >= step).length;
  return size ? (value > 0 ? "up" : "down") + size : "zero";
};

function header() {
  const row = make("tr");
  ["prompt", ...data.classes.map((entry) => entry.name)].forEach((name, j) => {
    const cell = make("th");
    cell.scope = "col";
    const column = j - 1;
    if (sort.column === column) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    const button = make("button", name);
    button.type = "button";
    button.addEventListener("click", () => {
      sort = { column, down: sort.column === column ? !sort.down : column >= 0 };
      draw();
      head.querySelectorAll("button")[j].focus();
    });
    cell.append(button);
    row.append(cell);
  });
  head.replaceChildren(row);
}

function order(rows) {
  if (sort.column === null) return rows;
  const values = cells();
  const sign = sort.down ? -1 : 1;
  return rows.sort((a, b) => {
    if (sort.column < 0) return sign * data.prompts[a].text.localeCompare(data.prompts[b].text);
    const [x, y] = [values[a][sort.column], values[b][sort.column]];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (x - y);
  });
}

function detail(p) {
  const row = make("tr", undefined, "detail");
  const cell = make("td");
  cell.colSpan = data.classes.length + 1;
  const box = make("div", undefined, "tiles");
  const found = data.models[Number(model.value)].top[p];
  for (const [t, cosine] of found) {
    const tile = data.tiles[t];
    const frame = make("figure");
    const image = make("img");
    image.src = tile.src;
    image.alt = tile.id;
    image.title = tile.id;
    const names = tile.own.map((k) => data.classes[k].name).join(", ") || "no label";
    const caption = make("figcaption");
    caption.append(make("span", names, tile.own.includes(data.prompts[p].own) ? "right" : "wrong"));
    caption.append(make("br"), `cosine ${(cosine / 10000).toFixed(3)}`);
    frame.append(image, caption);
    box.append(frame);
  }
  if (!found.length) box.append(make("span", "No picture was kept of the tiles that this prompt ranks highest."));
  cell.append(box);
  row.append(cell);
  return row;
}

function line(p, values, cosines) {
  const prompt = data.prompts[p];
  const row = make("tr");
  const title = make("th");
  title.scope = "row";
  const button = make("button", prompt.text);
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) row.nextSibling.remove();
    else row.after(detail(p));
  });
  title.append(button, make("small", data.classes[prompt.own].name));
  row.append(title);
  values[p].forEach((value, k) => {
    const cell = make("td", signed(value), shade(value) + (k === prompt.own ? " own" : ""));
    const cosine = cosines[p][k];
    cell.title = `${data.classes[k].name}: mean cosine ${cosine === null ? "–" : (cosine / 10000).toFixed(4)}`;
    row.append(cell);
  });
  return row;
}

function draw() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...data.prompts.keys()].filter((p) => {
    const { text, own: k } = data.prompts[p];
    return (own.value === "" || Number(own.value) === k) && words.every((word) => text.toLowerCase().includes(word));
  });
  header();
  const [values, cosines] = [cells(), data.models[Number(model.value)].cosine];
  body.replaceChildren(...order(rows).map((p) => line(p, values, cosines)));
  at("about").textContent = about[measure.value];
  at("count").textContent = `${rows.length} of ${data.prompts.length} prompts; a class name sorts, a prompt shows the tiles it ranks highest`;
}

at("controls").addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", draw);
[own, measure, model].forEach((control) => control.addEventListener("change", draw));
draw();
