// SPDX-License-Identifier: MIT
// The page's end of the line: it shows what the server sends and sends what is typed and clicked. What there is to see
// is made on the host, in Python (views.py).

const PANELS = { exits: "Exits", hot: "Hot addresses", registers: "Registers", enter: "Enter EL1", memory: "Memory", breaks: "Breakpoints", time: "Time", lessons: "First hour" };
const KEYS = { e: "exits", h: "hot", r: "registers", l: "enter", m: "memory", b: "breaks", t: "time", f: "lessons" };
const COLOURS = ["#2f7ed8", "#d9534f", "#3a9d5d", "#b07aa1", "#e0902b", "#3aa6a6", "#8c6d46", "#888888", "#c2417c"];
const SHOWN = 480; // points of the chart
const NEXT = "#panel [aria-current], #panel .on button"; // of the first hour
const dark = matchMedia("(prefers-color-scheme: dark)");
const el = (id) => document.getElementById(id);
const screens = new Map(); // by tab
let socket, panel = "exits", tab = "repl", chart, points = [], classes = [], current;

// What is typed before the first connection stands is sent when it does.
let early = [];
function send(what) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what));
  else early?.push(what);
}

// ---- Terminals

const theme = () => dark.matches
  ? { background: "#101216", foreground: "#eceff4", cursor: "#eceff4" }
  : { background: "#ffffff", foreground: "#16181d", cursor: "#16181d", selectionBackground: "#b5d3f5" };

function screen(name) {
  if (screens.has(name)) return screens.get(name);
  const box = document.createElement("div");
  box.className = "screen";
  box.dataset.tab = name;
  el("screens").append(box);
  const terminal = new Terminal({ fontSize: 14, lineHeight: 1.2, scrollback: 5000, theme: theme(), screenReaderMode: true, convertEol: true });
  const fit = new FitAddon.FitAddon();
  terminal.loadAddon(fit);
  terminal.open(box);
  terminal.attachCustomKeyEventHandler((event) => !shortcut(event));
  terminal.onData((data) => send({ k: "key", tab: name, data }));
  const made = { box, terminal, fit };
  screens.set(name, made);
  choose(tab);
  return made;
}

function choose(name) {
  tab = name;
  for (const [each, { box, fit }] of screens) {
    box.hidden = each !== name;
    if (each === name) fit.fit();
  }
  for (const button of el("tabs").children) button.setAttribute("aria-selected", button.dataset.tab === name);
}

function tabs(list) {
  const names = list.map(([name]) => name);
  for (const [name, { box, terminal }] of screens) {
    if (!names.includes(name)) {
      terminal.dispose();
      box.remove();
      screens.delete(name);
    }
  }
  el("tabs").replaceChildren(...list.map(([name, words]) => {
    const button = document.createElement("button");
    button.role = "tab";
    button.dataset.tab = name;
    button.textContent = words;
    return button;
  }));
  list.forEach(([name]) => screen(name));
  choose(names.includes(tab) ? tab : "repl");
}

function restart(names) {
  for (const name of names) screens.get(name)?.terminal.reset();
}

// ---- The chart

function draw(anew, fresh) {
  points = (anew ? fresh : points.concat(fresh)).slice(-SHOWN);
  const now = [...new Set(points.flatMap(([, rates]) => Object.keys(rates)))];
  const data = [points.map(([t]) => t), ...now.map((name) => points.map(([, rates]) => rates[name] ?? 0))];
  if (chart && now.join() === classes.join()) {
    chart.setData(data);
    return;
  }
  chart?.destroy();
  classes = now;
  const axis = { stroke: () => getComputedStyle(document.body).color, grid: { stroke: "#8884", width: 1 }, ticks: { stroke: "#8884" } };
  chart = new uPlot({
    width: el("chart").clientWidth, height: 190, scales: { x: { time: false } },
    axes: [{ ...axis, size: 28, values: (u, all) => all.map((t) => Number((t - Math.floor(points.at(-1)?.[0] ?? 0)).toFixed(1))) }, { ...axis, label: "exits/s", size: 60 }],
    series: [{ label: "s", value: (u, t) => t?.toFixed(1) ?? "" },
      ...now.map((label, n) => ({ label, stroke: COLOURS[n % COLOURS.length], width: 2, value: (u, v) => v?.toFixed(0) ?? "" }))],
  }, data, el("chart"));
}

// ---- Pieces of the page

// What is under a pressed button, or selected, stays as it is until then: else a click finds another button than it began on.
let held = false;
const later = new Map();
const isHeld = (box) => held || (!getSelection().isCollapsed && box.contains(getSelection().anchorNode));

// Made by views.py, which escapes what guests have said. What is the same in both stays the same element: the focus, and what
// is in a field that a person fills in, are not an update's.
const changes = {
  childrenOnly: true,
  getNodeKey: (node) => node.id || node.dataset?.key,
  onBeforeElUpdated: (now, then) => now.tagName !== "INPUT" && !now.isEqualNode(then),
};

function replace(place, html) {
  const box = el(place);
  if (isHeld(box)) {
    later.set(place, html);
    return;
  }
  later.delete(place);
  const fresh = box.cloneNode();
  fresh.innerHTML = html;
  morphdom(box, fresh, changes);
}

function let_go() {
  held = false;
  for (const [place, html] of [...later]) replace(place, html);
}

document.addEventListener("pointerdown", (event) => { held = event.button === 0; });
for (const end of ["pointerup", "pointercancel", "contextmenu"]) document.addEventListener(end, () => setTimeout(let_go));
addEventListener("blur", let_go);
document.addEventListener("selectionchange", () => setTimeout(() => { if (!held) let_go(); }));

const show = {
  status(text) {
    el("status").textContent = text;
    el("restart").hidden = !text.startsWith("off");
    document.body.dataset.status = text.split(":")[0];
  },
  tabs: (json) => tabs(JSON.parse(json)),
  picture: (html) => replace("picture", html),
  panel(json) {
    const [name, html] = JSON.parse(json);
    panel = name;
    el("chart").hidden = name !== "exits";
    for (const button of el("panels").children) button.setAttribute("aria-selected", button.dataset.viewPanel === name);
    replace("panel", html);
    const next = document.querySelector(NEXT);
    if (next && next !== current) next.scrollIntoView({ block: "center" });
    current = next;
  },
};

function note(text) {
  el("note").textContent = text;
  clearTimeout(note.timer);
  note.timer = setTimeout(() => { el("note").textContent = ""; }, 6000);
}

// ---- The line

function connect() {
  socket = new WebSocket(new URL("live", location.href.replace(/^http/, "ws")));
  socket.onopen = () => {
    restart(screens.keys()); // all that was said comes again
    early?.forEach(send);
    early = null;
  };
  socket.onmessage = ({ data }) => {
    const what = JSON.parse(data);
    if (what.k === "term") screen(what.tab).terminal.write(Uint8Array.from(atob(what.data), (c) => c.charCodeAt(0)));
    else if (what.k === "html") show[what.at](what.html);
    else if (what.k === "rates") draw(what.anew, what.points);
    else if (what.k === "note") note(what.text);
  };
  socket.onclose = () => {
    show.status("no connection: elapid look has ended?");
    setTimeout(connect, 1000);
  };
}

// ---- Clicks and keys

const view = (what) => send({ k: "view", ...what });
// data-view-panel="hot" is { panel: "hot" }.
function viewOf({ dataset }) {
  const names = Object.keys(dataset).filter((name) => name.startsWith("view"));
  return names.length && Object.fromEntries(names.map((name) => [name.slice(4).toLowerCase(), dataset[name]]));
}
const isNumber = (text) => /^(0x[0-9a-f_]+|[0-9_]+)$/i.test(text);

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { type, tab: name } = button.dataset, shown = viewOf(button);
  if (type !== undefined) send({ k: "type", code: type, then: shown || undefined });
  else if (name !== undefined) {
    choose(name);
    screens.get(name).terminal.focus();
  } else if (shown) view(shown);
  else if (button.id === "restart") send({ k: "restart" });
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, text = form.querySelector("input").value.trim();
  const { form: code, kind, show } = form.dataset;
  if (!text) return;
  if (show) view({ [show]: text });
  else if (kind === "bytes") {
    const all = text.split(/[\s,]+/).map((word) => parseInt(word, 16));
    if (!all.every((n) => n >= 0 && n < 256)) return note("Bytes are hexadecimal numbers up to ff.");
    const bytes = `b"${all.map((n) => `\\x${n.toString(16).padStart(2, "0")}`).join("")}"`;
    send({ k: "type", code: code.replace("{n}", all.length).replace("{}", () => bytes) });
  } else send({ k: "type", code: code.replace("{}", () => (kind === "place" && !isNumber(text) ? JSON.stringify(text) : text)) });
});

function shortcut(event) {
  if (event.type !== "keydown" || !event.altKey || event.ctrlKey || event.metaKey) return false;
  const n = Number(event.key);
  if (n >= 1 && n <= el("tabs").children.length) el("tabs").children[n - 1].click();
  else if (KEYS[event.key]) view({ panel: KEYS[event.key] });
  else if (event.key === "n") document.querySelector(NEXT)?.click();
  else return false;
  event.preventDefault();
  return true;
}
document.addEventListener("keydown", (event) => { if (!event.defaultPrevented) shortcut(event); });

dark.addEventListener("change", () => {
  for (const { terminal } of screens.values()) terminal.options.theme = theme();
  chart?.redraw();
});
addEventListener("resize", () => {
  screens.get(tab)?.fit.fit();
  chart?.setSize({ width: el("chart").clientWidth, height: 190 });
});

el("panels").replaceChildren(...Object.entries(PANELS).map(([name, words]) => {
  const button = document.createElement("button");
  button.role = "tab";
  button.dataset.viewPanel = name;
  button.textContent = words;
  return button;
}));
screen("repl").terminal.focus();
connect();
