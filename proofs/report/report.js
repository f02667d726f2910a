"use strict";
// Filters live in the address: #?q=words&verdict=refuted&kind=exact, so that a view can be sent.
(() => {
  const byId = (name) => document.getElementById(name);
  const fields = { q: byId("search"), verdict: byId("verdict"), kind: byId("kind") };
  const cards = [...document.querySelectorAll("article[data-verdict]")];
  const untested = byId("untested");
  document.querySelector(".find").hidden = false;

  function chosen() {
    return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()]));
  }

  function matches(card, { q, verdict, kind }) {
    const words = q.toLowerCase().split(/\s+/).filter(Boolean);
    return words.every((word) => card.dataset.text.includes(word))
      && (!verdict || card.dataset.verdict === verdict)
      && (!kind || card.dataset.kinds.split(" ").includes(kind));
  }

  function apply() {
    const wish = chosen();
    const filtered = Object.values(wish).some(Boolean);
    let count = 0;
    for (const card of cards) {
      const shown = matches(card, wish);
      card.hidden = !shown;
      count += shown;
      const line = document.querySelector(`.side [data-for="${CSS.escape(card.id)}"]`);
      if (line) line.hidden = !shown;
    }
    for (const group of document.querySelectorAll(".theme"))
      group.hidden = !group.querySelector("article:not([hidden])");
    if (untested && filtered) untested.open = !untested.hidden;
    byId("found").textContent = filtered ? `${count} of ${cards.length} claims` : "";
    byId("none").hidden = count > 0;
  }

  // Letters of a formula that is wider than its card get smaller; what is wider still can be scrolled.
  function fit() {
    for (const box of document.querySelectorAll(".formula")) {
      box.style.fontSize = "";
      const share = box.clientWidth / box.scrollWidth;
      if (share < 1) box.style.fontSize = `${Math.max(0.525, 0.98 * share).toFixed(3)}rem`;
    }
  }

  function write() {
    const wish = Object.entries(chosen()).filter(([, value]) => value);
    const said = wish.length ? `#?${new URLSearchParams(wish)}` : "#claims";
    history.replaceState(null, "", said);
    apply();
  }

  function clear() {
    for (const field of Object.values(fields)) field.value = "";
  }

  function read() {
    const said = location.hash;
    if (said.startsWith("#?")) {
      const wish = new URLSearchParams(said.slice(2));
      for (const [name, field] of Object.entries(fields)) field.value = wish.get(name) ?? "";
      apply();
      byId("claims").scrollIntoView();
      return;
    }
    const target = said.length > 1 ? byId(decodeURIComponent(said.slice(1))) : null;
    if (!target) return;
    // A link to a claim shows it, whatever is filtered or folded.
    if (target.closest("[hidden]")) { clear(); apply(); }
    for (let above = target; above; above = above.parentElement)
      if (above instanceof HTMLDetailsElement) above.open = true;
    target.scrollIntoView();
    if (target.matches("article")) target.focus({ preventScroll: true });
  }

  function step(by) {
    const shown = cards.filter((card) => !card.hidden && card.offsetParent);
    const at = shown.indexOf(document.activeElement.closest?.("article"));
    const next = shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : at + by];
    if (next) { next.focus(); next.scrollIntoView({ block: "start" }); }
  }

  for (const field of Object.values(fields)) field.addEventListener("input", write);
  byId("clear").addEventListener("click", () => { clear(); write(); });
  addEventListener("hashchange", read);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches?.("input, select, textarea");
    if (event.key === "Escape") { clear(); write(); document.activeElement.blur(); }
    else if (typing) return;
    else if (event.key === "/") { event.preventDefault(); fields.q.focus(); }
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
  });
  // On a phone the contents are long: they open when asked for.
  if (matchMedia("(max-width: 56rem)").matches) document.querySelector(".contents").open = false;
  read();
  fit();
  addEventListener("resize", fit);
  // What was folded away had no width.
  document.addEventListener("toggle", fit, true);
})();
