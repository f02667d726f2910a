"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (name) => document.getElementById(name);
  const W = 560, H = 300, L = 54, R = 12, T = 10, B = 30;
  const at = byId("at"), layer = byId("layer"), eps = byId("eps");
  const count = data.steps.length;

  const threshold = (value) => value < 1e-3 ? value.toExponential().replace("e-0", "e-") : String(value);

  for (const [place, value] of data.layers.entries()) layer.add(new Option(value, place));
  for (const [place, value] of data.eps.entries()) eps.add(new Option(threshold(value), place));
  at.max = count - 1;

  const number = (value) => value === null || value === undefined ? "–"
    : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5) ? value.toExponential(2) : String(+value.toPrecision(4));
  const numeric = (value) => typeof value === "number" && Number.isFinite(value);

  // An axis from data to pixels; on a logarithmic one values at or below 0 have no place.
  function axis(values, log, from, to) {
    const known = values.filter((value) => numeric(value) && (!log || value > 0)).map((value) => log ? Math.log10(value) : value);
    let low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!known.length) { low = 0; high = 1; }
    if (log) { low = Math.max(low, high - 18); }
    if (high - low < 1e-12) { low -= 0.5; high += 0.5; }
    const place = (value) => {
      if (!numeric(value) || (log && value <= 0)) return null;
      const shown = Math.max(log ? Math.log10(value) : value, low);
      return from + (to - from) * (shown - low) / (high - low);
    };
    // Within two decades powers of ten are too few to read by.
    if (log && high - low < 2) {
      const fine = [];
      for (let power = Math.floor(low); power <= high; power += 1)
        for (const times of [1, 2, 5]) {
          const tick = times * 10 ** power;
          if (Math.log10(tick) >= low && Math.log10(tick) <= high) fine.push(+tick.toPrecision(2));
        }
      if (fine.length > 1) return { place, ticks: fine, log };
    }
    const ticks = [];
    const rough = (high - low) / 5, unit = log ? Math.max(1, Math.ceil(rough)) : 10 ** Math.floor(Math.log10(rough));
    const step = log ? unit : unit * [1, 2, 5, 10].find((times) => unit * times >= rough);
    for (let tick = Math.ceil(low / step) * step; tick <= high + 1e-9; tick += step)
      ticks.push(log ? 10 ** tick : +tick.toPrecision(6));
    return { place, ticks: ticks.length ? ticks : [log ? 10 ** low : low, log ? 10 ** high : high], log };
  }

  const said = (tick, log) => log ? (Math.abs(Math.log10(tick)) < 3 ? number(tick) : `1e${Math.round(Math.log10(tick))}`) : number(tick);

  function frame(x, y, name) {
    const lines = y.ticks.map((tick) => `<path class="grid-line" d="M${L} ${y.place(tick)}H${W - R}"/><text x="${L - 6}" y="${y.place(tick) + 4}" text-anchor="end">${said(tick, y.log)}</text>`);
    const feet = x.ticks.map((tick) => `<text x="${x.place(tick)}" y="${H - 12}" text-anchor="middle">${said(tick, x.log)}</text>`);
    return `${lines.join("")}${feet.join("")}<path class="axis" d="M${L} ${T}V${H - B}H${W - R}"/><text x="${W - R}" y="${H - 1}" text-anchor="end">${name}</text>`;
  }

  function path(xs, ys, x, y, style) {
    let pen = "M", d = "";
    xs.forEach((value, place) => {
      const [px, py] = [x.place(value), y.place(ys[place])];
      if (px === null || py === null) { pen = "M"; return; }
      d += `${pen}${px.toFixed(1)} ${py.toFixed(1)}`; pen = "L";
    });
    return d ? `<path class="${style}" d="${d}"/>` : "";
  }

  function draw(name, inner) {
    const svg = byId(name);
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    svg.innerHTML = inner;
  }

  function named(name, keys) {
    byId(name).innerHTML = keys.map(([style, text]) => `<span class="${style}">— ${text}</span>`).join("");
  }

  const x = axis(data.steps, false, L, W - R);
  const floor = () => data.floors.map((floors) => floors[eps.value] ?? null);

  function losses(now) {
    const all = { ...data.series, [`floor at ε = ${threshold(data.eps[eps.value])}`]: floor() };
    const kept = Object.entries(all).filter(([, values]) => values.some((value) => numeric(value) && value > 0));
    const y = axis(kept.flatMap(([, values]) => values), true, H - B, T);
    const stages = data.stages.map((step) => `<path class="stage" d="M${x.place(step)} ${T}V${H - B}"/>`).join("");
    const lines = kept.map(([, values], place) => path(data.steps, values, x, y, `s${place % 5}`)).join("");
    draw("losses", `${frame(x, y, "step")}${stages}${lines}<path class="cursor" d="M${x.place(data.steps[now])} ${T}V${H - B}"/>`);
    named("losses-key", kept.map(([name], place) => [`s${place % 5}`, name]));
  }

  function ranks(now) {
    const own = data.layers.map((_, place) => data.ranks.map((layers) => layers[place]?.[eps.value]?.[0] ?? null));
    const y = axis([0, ...own.flat()], false, H - B, T);
    const lines = own.map((values, place) => path(data.steps, values, x, y, `s${place % 5} d${Math.floor(place / 5)}${+layer.value === place ? " chosen" : ""}`)).join("");
    draw("ranks", `${frame(x, y, "step")}${lines}<path class="cursor" d="M${x.place(data.steps[now])} ${T}V${H - B}"/>`);
    named("ranks-key", data.layers.map((value, place) => [`s${place % 5}`, `layer ${value}`]));
  }

  function spectrum(now) {
    const values = data.spectra[now][layer.value] ?? [], first = data.spectra[0][layer.value] ?? [];
    const threshold = data.eps[eps.value];
    const across = axis([1, Math.max(values.length, 2)], false, L + 6, W - R - 6);
    const all = data.spectra.flatMap((layers) => layers[layer.value] ?? []);
    const y = axis([...all, threshold], true, H - B, T);
    const dots = (from, style) => from.map((value, place) => {
      const py = y.place(value);
      return py === null ? "" : `<circle class="${style}" cx="${across.place(place + 1).toFixed(1)}" cy="${py.toFixed(1)}" r="2.8"/>`;
    }).join("");
    draw("spectrum", `${frame(across, y, "k")}${dots(first, "before")}${dots(values, "s0")}<path class="eps" d="M${L} ${y.place(threshold)}H${W - R}"/>`);
  }

  function curve(now) {
    const kept = [["s0", data.series.loss], ["s2", data.series["V(B)"]]].filter(([, values]) => values.some(numeric));
    const across = axis(data.norm, false, L, W - R), y = axis(kept.flatMap(([, values]) => values), true, H - B, T);
    const marks = kept.map(([style, values]) => {
      const [px, py] = [across.place(data.norm[now]), y.place(values[now])];
      return px === null || py === null ? "" : `<circle class="${style}" cx="${px}" cy="${py}" r="5"/>`;
    }).join("");
    draw("curve", `${frame(across, y, "B")}${kept.map(([style, values]) => path(data.norm, values, across, y, style)).join("")}${marks}`);
  }

  function says(now) {
    const pair = data.ranks[now][layer.value]?.[eps.value] ?? [null, null];
    const rank = pair[0] === pair[1] ? pair[0] : `between ${pair[0]} and ${pair[1]}`;
    const loss = data.series.loss[now], reach = data.series["V(B)"][now], below = floor()[now];
    const parts = [`Step ${data.steps[now]}: the loss is ${number(loss)}`];
    if (numeric(reach)) parts.push(`V(B) = ${number(reach)} at norm B = ${number(data.norm[now])}${reach > 0 ? ` (loss/V = ${number(loss / reach)})` : ""}`);
    if (numeric(below)) parts.push(`the floor is ${number(below)}`);
    parts.push(`layer ${data.layers[layer.value]} has ε-rank ${rank} of ${data.neurons[layer.value]} at ε = ${threshold(data.eps[eps.value])}`);
    byId("says").textContent = `${parts.join("; ")}.${data.readings[now] ? ` The plateau reads ${data.readings[now]}.` : ""}`;
  }

  function show() {
    const now = +at.value;
    byId("step").textContent = data.steps[now];
    losses(now); ranks(now); spectrum(now); curve(now); says(now);
  }

  function keep() {
    history.replaceState(null, "", `#step=${data.steps[at.value]}&layer=${data.layers[layer.value]}&eps=${data.eps[eps.value]}`);
    show();
  }

  function read() {
    const wish = new URLSearchParams(location.hash.slice(1));
    const near = (values, wanted, otherwise) => wanted === null || !Number.isFinite(+wanted) ? otherwise
      : values.reduce((best, value, place) => Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? place : best, 0);
    at.value = near(data.steps, wish.get("step"), count - 1);
    layer.value = near(data.layers, wish.get("layer"), data.layers.length - 1);
    eps.value = near(data.eps, wish.get("eps"), 0);
    show();
  }

  for (const field of [at, layer, eps]) field.addEventListener("input", keep);
  addEventListener("hashchange", read);
  read();
})();
