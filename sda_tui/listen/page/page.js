// The listener page: lists the previews of a run, plays them, and plays what the terminal plays.
"use strict";

const SAMPLE_RATE = 48000; // of all previews: nothing is resampled before it is played
const MOST_SOUNDS = 96; // decoded and kept
const MOST_PRELOADED = 16; // of an epoch
const REPORT_MS = 100;
const SHORTEST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 5000;
const ANSWER_MS = 3000;
const SILENT_MS = 15000; // a connection over which nothing comes is dead
const LARGEST_SKEW_MS = 600000; // between the two clocks; more, and a proof could be kept for later
const LEVELS = 35; // of an outline, a base-36 digit each
const PALETTE = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21],
  [250, 193, 39], [252, 255, 164]];
const STATES = {
  loading: "preparing", training: "training", finished: "The run has finished.",
  cancelled: "The run was stopped and saved.", failed: "The run has failed.",
  interrupted: "The run was interrupted; it can be resumed.",
};

const byId = (id) => document.getElementById(id);
const previews = new Map(); // number → what the program says of it
const extras = new Map(); // sounds of the dataset that the terminal plays: not in the list
const rows = new Map(); // number → its button
const sections = new Map(); // epoch → the element that holds its rows
const sounds = new Map(); // number → promise of an AudioBuffer, the oldest first
const pictures = new Map(); // number → promise of a canvas with a pixel for each cell, or null
const context = new AudioContext({ sampleRate: SAMPLE_RATE });

let instance = "";
let hasTerminal = true; // whether play keys somewhere else sound here
let best = 0;
let newestFirst = true;
let chosen = null;
let compared = null; // the reconstruction that the original was chosen after
let playing = null; // { number, source, startS, buffer, id, rest }
let isFollowed = false; // whether each frame draws the position
let wanted = 0; // counts requests to play, so that a slow one does not replace a later one
let socket = null;
let retryMs = SHORTEST_RETRY_MS;
let farewell = "";
let receivedMs = 0;
let key = ""; // the token, from the program

// -- sounds ---------------------------------------------------------------------------------------------

function load(number) {
  const known = sounds.get(number);
  if (known) return known;
  const promise = fetch(`/sound/${number}`)
    .then((answer) => {
      if (!answer.ok) throw new Error("This sound is gone from the disk.");
      return answer.arrayBuffer();
    })
    .then((data) => context.decodeAudioData(data));
  promise.catch(() => sounds.delete(number));
  sounds.set(number, promise);
  if (sounds.size > MOST_SOUNDS) sounds.delete(sounds.keys().next().value);
  return promise;
}

function position() {
  if (!playing) return 0;
  return Math.min(playing.buffer.duration, Math.max(0, context.currentTime - playing.startS));
}

// Play a sound from `atS`, or with `atS` null from where the one before is, without a gap.
// `rest` are the numbers that follow; `id` is the terminal's, if it asked.
async function play(number, { atS = 0, id = 0, rest = [] } = {}) {
  const request = ++wanted;
  choose(number);
  say("");
  let buffer;
  try {
    buffer = await load(number);
  } catch (error) {
    if (request !== wanted) return;
    if (rest.length) play(rest[0], { id, rest: rest.slice(1) });
    else fail(number, id, error.message);
    return;
  }
  if (request !== wanted) return; // another one was asked for meanwhile
  if (context.state !== "running") await Promise.race([context.resume(), pause(SHORTEST_RETRY_MS)]);
  if (request !== wanted) return;
  if (context.state !== "running") {
    fail(number, id, "The browser waits for a click on “Let the terminal play here”.");
    return;
  }
  const startsAt = atS === null ? position() : atS;
  const offset = startsAt < buffer.duration ? startsAt : 0;
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.onended = () => finish(source);
  const when = context.currentTime;
  release(when);
  if (playing && playing.id !== id) send({ type: "ended", id: playing.id, number: playing.number });
  source.start(when, offset);
  playing = { number, source, buffer, id, rest, startS: when - offset };
  if (rest.length) load(rest[0]).catch(() => {});
  mark();
  report();
  if (!isFollowed) follow();
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function release(when) {
  if (!playing) return;
  playing.source.onended = null;
  playing.source.stop(when);
  playing.source = null;
}

function finish(source) {
  if (!playing || playing.source !== source) return;
  const { rest, id, number } = playing;
  playing = null;
  if (rest.length) {
    play(rest[0], { id, rest: rest.slice(1) });
    return;
  }
  send({ type: "ended", id, number });
  mark();
  draw();
}

function stop() {
  wanted++;
  if (!playing) return;
  const { id, number } = playing;
  release(context.currentTime);
  playing = null;
  send({ type: "ended", id, number });
  mark();
  draw();
}

function fail(number, id, reason) {
  say(reason);
  send({ type: "failed", id, number, reason });
}

function report() {
  if (!playing) return;
  const { id, number, buffer } = playing;
  send({ type: "progress", id, number, position: position(), duration: buffer.duration });
}
setInterval(report, REPORT_MS);

// -- choosing -------------------------------------------------------------------------------------------

const isOf = (a, b) => a.kind === b.kind && a.label === b.label;
const ascending = () => [...previews.values()].sort((a, b) => a.epoch - b.epoch || a.number - b.number);

function listed() {
  const epochs = new Map();
  for (const each of ascending()) epochs.set(each.epoch, [...(epochs.get(each.epoch) || []), each]);
  const entries = [...epochs.entries()];
  return newestFirst ? entries.reverse() : entries;
}

function choose(number) {
  const before = previews.get(chosen);
  if (before && before.kind === "reconstruction") compared = before.number;
  if (number !== chosen) {
    rows.get(chosen)?.setAttribute("aria-current", "false");
    chosen = number;
    rows.get(chosen)?.setAttribute("aria-current", "true");
    rows.get(chosen)?.scrollIntoView({ block: "nearest" });
  }
  const preview = previews.get(number);
  if (preview) {
    byId("label").textContent = `${preview.label} · epoch ${preview.epoch}`;
    preload(preview);
  } else {
    byId("label").textContent = extras.get(number)?.label || "";
  }
  draw();
}

// The sounds of an epoch are there when one of it is chosen, so that keys sound at once.
function preload(preview) {
  const epoch = ascending().filter((each) => each.epoch === preview.epoch);
  for (const each of epoch.slice(0, MOST_PRELOADED)) load(each.number).catch(() => {});
}

function counterpart() {
  const now = previews.get(chosen);
  if (!now) return null;
  const all = ascending();
  const originalOf = (each) => all.filter((a) => a.kind === "original" && a.epoch <= each.epoch).pop();
  if (now.kind === "original") {
    const of = all.filter((a) => a.kind === "reconstruction" && originalOf(a) === now);
    return of.find((a) => a.number === compared) || of.pop() || null;
  }
  if (now.kind === "sample") return all.find((a) => a.kind === "reconstruction" && a.epoch === now.epoch) || null;
  return originalOf(now) || null;
}

const actions = {
  play: () => chosen !== null && play(chosen),
  stop,
  compare: () => {
    const other = counterpart();
    if (other) play(other.number, { atS: playing ? null : 0 });
    else say("There is nothing to compare it with yet.");
  },
  older: () => {
    const now = previews.get(chosen);
    const earlier = now && ascending().filter((each) => isOf(each, now) && each.epoch < now.epoch).pop();
    if (earlier) play(earlier.number);
    else say("There is no earlier one: this is the oldest.");
  },
  evolve: () => {
    const now = previews.get(chosen);
    if (!now) return;
    const all = ascending().filter((each) => isOf(each, now)).map((each) => each.number);
    play(all[0], { rest: all.slice(1) });
  },
  order: () => {
    newestFirst = !newestFirst;
    clear();
    list();
    rows.get(chosen)?.scrollIntoView({ block: "nearest" });
  },
  up: () => move(-1),
  down: () => move(1),
};
const KEYS = { ArrowRight: "play", " ": "play", Enter: "play", ArrowLeft: "stop", ArrowUp: "up", ArrowDown: "down",
  a: "compare", b: "older", e: "evolve", o: "order" };

function move(by) {
  const numbers = listed().flatMap(([, each]) => each.map((preview) => preview.number));
  const at = numbers.indexOf(chosen);
  const next = numbers[at < 0 ? 0 : Math.min(numbers.length - 1, Math.max(0, at + by))];
  if (next === undefined) return;
  choose(next);
  rows.get(next).focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = KEYS[event.key];
  const isButtonKey = event.key === "Enter" || event.key === " ";
  if (!action || (isButtonKey && event.target instanceof HTMLButtonElement)) return;
  event.preventDefault();
  allow();
  actions[action]();
});
for (const name of ["play", "stop", "compare", "older", "evolve", "order"]) {
  byId(name).addEventListener("click", () => {
    allow();
    actions[name]();
  });
}

// -- what is shown --------------------------------------------------------------------------------------

function say(text) {
  byId("message").textContent = text;
}

// A section for each epoch; what is there already stays, and keeps the focus.
function list() {
  for (const each of ascending()) if (!rows.has(each.number)) section(each.epoch).append(row(each));
  for (const [epoch, element] of sections) element.firstChild.textContent = heading(epoch);
  mark();
}

function heading(epoch) {
  return (epoch === 0 ? "epoch 0, untrained" : `epoch ${epoch}`) + (epoch && epoch === best ? " · best" : "");
}

function section(epoch) {
  if (!sections.has(epoch)) {
    const element = document.createElement("div");
    element.append(document.createElement("h2"));
    const later = [...sections.keys()].filter((each) => (newestFirst ? each < epoch : each > epoch));
    const next = later.length ? sections.get(newestFirst ? Math.max(...later) : Math.min(...later)) : null;
    byId("previews").insertBefore(element, next);
    sections.set(epoch, element);
  }
  return sections.get(epoch);
}

function clear() {
  byId("previews").textContent = "";
  rows.clear();
  sections.clear();
}

function row(preview) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "preview";
  button.title = preview.file;
  button.setAttribute("aria-current", String(preview.number === chosen));
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = preview.label;
  const length = document.createElement("span");
  length.className = "length";
  length.textContent = `${preview.duration.toFixed(1)} s`;
  button.append(name, length);
  button.addEventListener("click", () => {
    allow();
    play(preview.number);
  });
  button.number = preview.number;
  seen.observe(button);
  rows.set(preview.number, button);
  return button;
}

function small(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}

// Nothing is drawn or fetched before it is seen.
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    const outline = small(120, 32);
    const spectrogram = small(120, 32);
    target.append(outline, spectrogram);
    drawOutline(outline, previews.get(target.number).outline);
    picture(target.number).then((cells) => cells && paint(spectrogram, cells));
  }
});

function picture(number) {
  if (!pictures.has(number)) pictures.set(number, fetchPicture(number).catch(() => null));
  return pictures.get(number);
}

async function fetchPicture(number) {
  const answer = await fetch(`/spectrogram/${number}`);
  if (!answer.ok) return null;
  const mels = Number(answer.headers.get("X-Mels"));
  const frames = Number(answer.headers.get("X-Frames"));
  const levels = new Uint8Array(await answer.arrayBuffer());
  const canvas = small(frames, mels);
  const image = new ImageData(frames, mels);
  for (let mel = 0; mel < mels; mel++) {
    for (let frame = 0; frame < frames; frame++) {
      const at = 4 * ((mels - 1 - mel) * frames + frame);
      image.data.set(colour(levels[mel * frames + frame] / 255), at);
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function colour(level) {
  const at = level * (PALETTE.length - 1);
  const low = Math.min(PALETTE.length - 2, Math.floor(at));
  const part = at - low;
  return [...PALETTE[low].map((value, i) => value + part * (PALETTE[low + 1][i] - value)), 255];
}

function paint(canvas, cells) {
  const brush = canvas.getContext("2d");
  brush.imageSmoothingEnabled = true;
  brush.drawImage(cells, 0, 0, canvas.width, canvas.height);
}

function drawOutline(canvas, outline, played = 0) {
  const brush = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  brush.clearRect(0, 0, canvas.width, canvas.height);
  const width = canvas.width / outline.length;
  for (let i = 0; i < outline.length; i++) {
    const height = Math.max(1, (parseInt(outline[i], 36) / LEVELS) * canvas.height);
    brush.fillStyle = style.getPropertyValue((i + 1) / outline.length <= played ? "--played" : "--ink");
    brush.fillRect(i * width, (canvas.height - height) / 2, Math.max(1, width - 1), height);
  }
}

async function draw() {
  const number = chosen;
  const preview = previews.get(number);
  const cells = preview ? await picture(number) : null;
  if (number !== chosen) return;
  const canvas = byId("spectrogram");
  canvas.hidden = !cells;
  byId("waveform").hidden = !(preview && preview.outline);
  byId("actions").hidden = !preview;
  const link = byId("save");
  link.hidden = number === null;
  if (number !== null) link.href = `/sound/${number}`;
  link.download = preview ? preview.file : "sound.wav";
  if (cells) paint(canvas, cells);
  const isPlaying = playing && playing.number === number;
  const part = isPlaying ? position() / playing.buffer.duration : 0;
  if (cells && isPlaying) {
    const brush = canvas.getContext("2d");
    brush.fillStyle = "#fff";
    brush.fillRect(part * canvas.width - 1, 0, 2, canvas.height);
  }
  if (preview && preview.outline) drawOutline(byId("waveform"), preview.outline, part);
  const lengthS = isPlaying ? playing.buffer.duration : preview && preview.duration;
  byId("position").textContent = lengthS ? `${position().toFixed(1)} / ${lengthS.toFixed(1)} s` : "";
}

function follow() {
  draw();
  isFollowed = playing !== null;
  if (isFollowed) requestAnimationFrame(follow);
}

function mark() {
  for (const [number, button] of rows) {
    button.classList.toggle("playing", Boolean(playing && playing.number === number));
  }
}

for (const id of ["waveform", "spectrogram"]) {
  byId(id).addEventListener("click", (event) => {
    if (chosen === null) return;
    allow();
    const box = event.target.getBoundingClientRect();
    const lengthS = playing && playing.number === chosen ? playing.buffer.duration : previews.get(chosen).duration;
    play(chosen, { atS: ((event.clientX - box.left) / box.width) * lengthS });
  });
}

// -- the terminal ---------------------------------------------------------------------------------------

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// Browsers let a page sound after a click or a key in it.
function allow() {
  if (context.state !== "running") context.resume();
}
byId("allow").addEventListener("click", allow);
context.addEventListener("statechange", showAllowed);

function showAllowed() {
  const isAllowed = context.state === "running";
  byId("allow").hidden = isAllowed;
  send({ type: "ready", ready: isAllowed });
  if (isAllowed) say(hasTerminal ? "Sound is on: play keys in the terminal sound here." : "");
}

function showState(state) {
  const text = STATES[state.state] || "";
  byId("state").textContent = text;
  if (best !== state.best) {
    best = state.best;
    list();
  }
}

function receive(message) {
  if (message.type === "run") {
    replace(message);
  } else if (message.type === "previews") {
    for (const each of message.previews) previews.set(each.number, each);
    list();
    if (chosen === null) choose(newest());
  } else if (message.type === "state") {
    showState(message);
  } else if (message.type === "choose") {
    if (previews.has(message.number)) preload(previews.get(message.number));
  } else if (message.type === "play" || message.type === "switch") {
    if (message.sound) extras.set(message.number, message.sound);
    play(message.number, { atS: message.type === "switch" && playing ? null : 0, id: message.id });
  } else if (message.type === "stop") {
    stop();
  } else if (message.type === "farewell") {
    farewell = message.reason;
  }
}

function newest() {
  const all = ascending();
  const last = all.filter((each) => each.epoch === all[all.length - 1].epoch);
  return (last.find((each) => each.kind === "reconstruction") || last[last.length - 1]).number;
}

// Everything anew: the page was opened, another run is shown, or the program was started again.
function replace(message) {
  const file = previews.get(chosen)?.file;
  if (instance !== message.instance) {
    sounds.clear();
    pictures.clear();
  }
  instance = message.instance;
  hasTerminal = message.terminal;
  byId("allow").textContent = hasTerminal ? "Let the terminal play here" : "Turn sound on";
  previews.clear();
  for (const each of message.previews) previews.set(each.number, each);
  byId("name").textContent = message.name || "sda-tui";
  document.title = message.name ? `${message.name} · sda-tui` : "sda-tui";
  best = message.best;
  chosen = null;
  clear();
  showState(message);
  list();
  const same = ascending().find((each) => each.file === file);
  if (previews.size) choose(same ? same.number : newest());
  else draw();
}

function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.onopen = () => {
    retryMs = SHORTEST_RETRY_MS;
    farewell = "";
    receivedMs = Date.now();
    byId("connection").textContent = "Connected.";
    document.body.classList.remove("lost");
    showAllowed();
    if (!key) fetch("/key").then(async (answer) => { key = answer.ok ? await answer.text() : ""; }, () => {});
  };
  socket.onmessage = (event) => {
    receivedMs = Date.now();
    receive(JSON.parse(event.data));
  };
  socket.onclose = async () => {
    document.body.classList.add("lost");
    byId("connection").textContent = `${farewell || "The connection is lost."} Trying to connect again…`;
    const why = await whyRefused();
    if (why) byId("connection").textContent = why;
    setTimeout(connect, retryMs);
    retryMs = Math.min(LONGEST_RETRY_MS, 2 * retryMs);
  };
}

// The program says something every few seconds; a tunnel that is half dead does not say that it is.
setInterval(() => {
  if (socket.readyState === WebSocket.OPEN && Date.now() - receivedMs > SILENT_MS) socket.close();
}, REPORT_MS);

// After another start the cookie is not valid any more: prove to know the token, without sending it.
async function whyRefused() {
  try {
    const answer = await fetch("/page.css", { signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.status !== 404) return "";
    const now = Date.parse(answer.headers.get("Date"));
    if (key && Math.abs(now - Date.now()) < LARGEST_SKEW_MS) {
      const time = String(Math.floor(now / 1000));
      const proof = await sign(`${location.host} ${time}`);
      const again = await fetch(`/again?time=${time}&proof=${proof}`, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (again.ok) return "";
    }
    return "This address is of an earlier start. Open the one that the terminal shows now.";
  } catch {
    return ""; // neither the program nor the tunnel answers
  }
}

async function sign(text) {
  const bytes = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const secret = await crypto.subtle.importKey("raw", bytes.encode(key), algorithm, false, ["sign"]);
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", secret, bytes.encode(text)));
  return [...signature].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The outlines have the colours of the page.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  clear();
  list();
  draw();
});

connect();
