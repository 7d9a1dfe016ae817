// Lets a person correct where turns ended, in rows and in the picture, and saves the labels as a file.
"use strict";

const labels = JSON.parse(document.getElementById("labels").textContent);
const rows = document.getElementById("stretches");
const told = document.getElementById("labels-status");
const marks = document.getElementById("label-marks");
const undo = document.getElementById("undo");
const SHORTEST = 0.05;
// As in labels.py.
const SPARE = 0.5;
const TOP = 24;
const BOTTOM = 134;
let past = [];
let isSaved = true;

const rounded = (seconds) => Math.round(seconds * 100) / 100;
const copy = () => labels.stretches.map((stretch) => ({ ...stretch }));

function change(make, said) {
  past.push(copy());
  make();
  labels.stretches.sort((one, other) => one.start - other.start);
  isSaved = false;
  showLabels();
  told.textContent = said;
}

function element(tag, attributes, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}

function drawn(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  marks.append(made);
  return made;
}

function secondsField(stretch, name, number) {
  const field = element("input", { type: "number", step: "0.05", min: "0", max: String(labels.seconds) });
  field.setAttribute("aria-label", `${name === "start" ? "Beginning" : "End"} of stretch ${number}, in seconds`);
  field.value = stretch[name];
  field.addEventListener("change", () => {
    const value = field.valueAsNumber;
    if (Number.isNaN(value)) field.value = stretch[name];
    else change(() => (stretch[name] = rounded(value)), `Stretch ${number} moved.`);
  });
  return field;
}

function row(stretch, index) {
  const number = index + 1;
  const after = labels.stretches[index + 1];
  const play = element("button", { type: "button", "aria-label": `Play stretch ${number} and what follows` }, "Play");
  play.disabled = audio === null;
  play.addEventListener("click", () => {
    seek(stretch.start - 0.2);
    stopAt = Math.min(stretch.end + 2, labels.seconds);
    audio.play();
  });
  const box = element("input", { type: "checkbox", "aria-label": `The turn ended after stretch ${number}` });
  box.checked = stretch.ends_turn;
  box.addEventListener("change", () => {
    const said = box.checked ? "the turn ended" : "the user only paused";
    change(() => (stretch.ends_turn = box.checked), `Stretch ${number}: ${said}.`);
  });
  const remove = element("button", { type: "button", "aria-label": `Remove stretch ${number}` }, "Remove");
  remove.addEventListener("click", () => change(() => labels.stretches.splice(index, 1), `Stretch ${number} removed.`));
  const pause = after === undefined ? "the last" : `then ${(after.start - stretch.end).toFixed(2)} s of pause`;
  return element(
    "li",
    {},
    play,
    element("span", { class: "times" }, secondsField(stretch, "start", number), " to ", secondsField(stretch, "end", number), " s"),
    element("label", {}, box, "the turn ended here"),
    element("span", { class: "soft" }, pause),
    remove,
  );
}

function showLabels() {
  // A row is made anew when it changes, so the focus goes to its successor.
  const at = [...rows.querySelectorAll("button, input")].indexOf(document.activeElement);
  rows.replaceChildren(...labels.stretches.map(row));
  if (at >= 0) [...rows.querySelectorAll("button, input")].at(Math.min(at, 5 * labels.stretches.length - 1))?.focus();
  undo.disabled = past.length === 0;
  marks.replaceChildren();
  labels.stretches.forEach(mark);
}

function mark(stretch, index) {
  const [start, end] = [stretch.start, stretch.end].map((seconds) => left + seconds * perSecond);
  const bar = drawn("rect", { class: "label", x: start, y: BOTTOM - 6, width: Math.max(1, end - start), height: 6 });
  bar.addEventListener("click", (event) => {
    event.stopPropagation();
    rows.children[index].querySelector("input[type=checkbox]").focus();
  });
  if (stretch.ends_turn) drawn("path", { class: "label-end", d: `M${end} ${TOP}V${BOTTOM}M${end} ${TOP}l9 5l-9 5Z` });
  const handle = drawn("rect", { class: "handle", x: end - 6, y: TOP, width: 12, height: BOTTOM - TOP });
  handle.addEventListener("pointerdown", (event) => drag(event, handle, stretch, index));
  handle.addEventListener("click", (event) => event.stopPropagation());
}

function drag(event, handle, stretch, index) {
  handle.setPointerCapture(event.pointerId);
  const least = stretch.start + SHORTEST;
  const most = labels.stretches[index + 1]?.start ?? labels.seconds;
  const at = (moved) => (moved.clientX - drawing.getBoundingClientRect().left - left) / perSecond;
  const began = at(event);
  let end = stretch.end;
  const released = new AbortController();
  const on = (name, react) => handle.addEventListener(name, react, { signal: released.signal });
  on("pointermove", (moved) => {
    end = rounded(Math.min(most, Math.max(least, stretch.end + at(moved) - began)));
    handle.setAttribute("x", left + end * perSecond - 6);
    told.textContent = `Stretch ${index + 1} ends at ${end.toFixed(2)} s.`;
  });
  on("pointerup", () => {
    released.abort();
    if (end !== stretch.end) change(() => (stretch.end = end), `Stretch ${index + 1} ends at ${end.toFixed(2)} s.`);
  });
  // The browser scrolls instead, for example.
  on("pointercancel", () => {
    released.abort();
    showLabels();
  });
}

function addOrSplit() {
  const at = rounded(audio === null ? 0 : audio.currentTime);
  const around = labels.stretches.find((one) => one.start + SHORTEST < at && at < one.end - SHORTEST);
  if (around !== undefined) {
    const rest = { start: at, end: around.end, ends_turn: around.ends_turn };
    change(() => {
      labels.stretches.push(rest);
      Object.assign(around, { end: at, ends_turn: true });
    }, `Split at ${at.toFixed(2)} s.`);
    return;
  }
  const next = labels.stretches.find((one) => one.end > at)?.start ?? labels.seconds;
  const end = rounded(Math.min(at + 0.5, next));
  if (end - at < SHORTEST) told.textContent = "There is no room for a stretch here: move the player.";
  else change(() => labels.stretches.push({ start: at, end, ends_turn: true }), `Added at ${at.toFixed(2)} s.`);
}

function wrong() {
  for (const [index, stretch] of labels.stretches.entries()) {
    const before = labels.stretches[index - 1];
    if (stretch.start < 0) return `Not saved: stretch ${index + 1} begins before the call.`;
    if (stretch.end > labels.seconds + SPARE) return `Not saved: stretch ${index + 1} ends after the call.`;
    if (stretch.start >= stretch.end) return `Not saved: stretch ${index + 1} ends before it begins.`;
    if (before !== undefined && stretch.start < before.end) return `Not saved: stretch ${index + 1} begins before stretch ${index} ends.`;
  }
  return "";
}

function save() {
  const why = wrong();
  told.textContent = why;
  if (why !== "") return;
  labels.by = "person";
  const file = new Blob([JSON.stringify(labels, null, 1), "\n"], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(file), download: `labels-${labels.call}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  isSaved = true;
  const command = `python -m livekit.plugins.cartesia_turns label CALLS --take "${link.download}"`;
  told.textContent = `Saved as ${link.download}. Take it over with: ${command}`;
}

document.getElementById("add").addEventListener("click", addOrSplit);
document.getElementById("save").addEventListener("click", save);
undo.addEventListener("click", () => {
  labels.stretches = past.pop();
  isSaved = false;
  showLabels();
  told.textContent = "Undone.";
});
addEventListener("beforeunload", (event) => {
  if (!isSaved) event.preventDefault();
});
showLabels();
