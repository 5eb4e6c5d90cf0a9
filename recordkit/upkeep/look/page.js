
"use strict";
const byId = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll("#grid > li")];
const filter = byId("filter"), chosen = byId("class"), key = byId("key"), large = byId("large");
let current = null;

function show() {
  const wanted = key.value.trim();
  let count = 0;
  for (const card of cards) {
    const fits = (!chosen.value || card.dataset.label === chosen.value) && card.dataset.key.startsWith(wanted);
    card.hidden = !fits;
    count += fits;
  }
  byId("count").textContent = count + " shown";
  byId("nothing").hidden = count > 0;
}

function open(card) {
  const picture = card.querySelector("img");
  current = card;
  byId("picture").src = picture.src;
  byId("picture").alt = picture.alt;
  byId("picture").className = picture.className;
  byId("caption").textContent = [...card.querySelectorAll("p")].map((line) => line.textContent).join(" \u00b7 ");
  if (!large.open) large.showModal();
}

function step(by) {
  const visible = cards.filter((card) => !card.hidden && card.querySelector("img"));
  open(visible[(visible.indexOf(current) + by + visible.length) % visible.length]);
}

chosen.addEventListener("change", show);
key.addEventListener("input", show);
filter.addEventListener("submit", (event) => event.preventDefault());
byId("reset").addEventListener("click", () => { filter.reset(); show(); chosen.focus(); });
byId("grid").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) open(button.closest("li"));
});
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("close").addEventListener("click", () => large.close());
large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
large.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
large.addEventListener("close", () => { if (current) current.querySelector("button").focus(); });
filter.hidden = false;
show();  // a browser keeps what was typed before a reload
