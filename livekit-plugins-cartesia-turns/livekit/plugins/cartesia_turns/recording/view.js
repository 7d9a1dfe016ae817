// Joins the audio to the picture: the line that moves, a click that seeks, and the turns that are played.
"use strict";

const audio = document.querySelector("audio");
const scroll = document.querySelector(".scroll");
const drawing = document.getElementById("call");
const head = document.getElementById("head");
const perSecond = Number(drawing.dataset.perSecond);
const left = Number(drawing.dataset.left);
const turns = [...document.querySelectorAll("[data-from]")];
let stopAt = Infinity;

function show() {
  const at = audio.currentTime;
  const x = left + at * perSecond;
  head.setAttribute("x1", x);
  head.setAttribute("x2", x);
  const seen = x > scroll.scrollLeft && x < scroll.scrollLeft + scroll.clientWidth;
  if (!audio.paused && !seen) scroll.scrollLeft = x - scroll.clientWidth / 4;
  for (const turn of turns) {
    const isNow = at >= Number(turn.dataset.from) && at < Number(turn.dataset.to);
    if (isNow) turn.setAttribute("aria-current", "true");
    else turn.removeAttribute("aria-current");
  }
  if (at >= stopAt) {
    stopAt = Infinity;
    audio.pause();
  }
  if (!audio.paused) requestAnimationFrame(show);
}

function seek(at) {
  stopAt = Infinity;
  audio.currentTime = Math.max(0, at);
  show();
}

function playTurn(turn) {
  seek(Number(turn.dataset.from));
  stopAt = Number(turn.dataset.to);
  audio.play();
}

function next(step) {
  const at = audio.currentTime;
  const later = turns.filter((turn) => Number(turn.dataset.from) > at + 0.05);
  const earlier = turns.filter((turn) => Number(turn.dataset.from) < at - 0.5);
  const turn = step > 0 ? later[0] : earlier.at(-1);
  if (turn === undefined) return;
  seek(Number(turn.dataset.from));
  scroll.scrollLeft = left + audio.currentTime * perSecond - scroll.clientWidth / 4;
  turn.scrollIntoView({ block: "nearest" });
}

if (audio !== null) {
  audio.addEventListener("play", () => requestAnimationFrame(show));
  audio.addEventListener("seeked", show);
  drawing.addEventListener("click", (event) => {
    seek((event.clientX - drawing.getBoundingClientRect().left - left) / perSecond);
  });
  for (const turn of turns) turn.querySelector("button").addEventListener("click", () => playTurn(turn));
  document.getElementById("before").addEventListener("click", () => next(-1));
  document.getElementById("after").addEventListener("click", () => next(1));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("audio, button, summary, input")) return;
    if (event.key === " ") {
      event.preventDefault();
      if (audio.paused) audio.play();
      else audio.pause();
    } else if (event.key === "j" || event.key === "k") next(event.key === "j" ? 1 : -1);
  });
}
