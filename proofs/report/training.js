"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (name) => document.getElementById(name);
  const at = byId("at"), layer = byId("layer"), eps = byId("eps");
  const count = data.steps.length;
  // Sizes in pixels of the screen, so that letters are as large on a phone; `frame` sets the sides.
  const T = 24, B = 40, R = 14, LETTER = 7;
  let W = 560, H = 310;

  const threshold = (value) => value < 1e-3 ? value.toExponential().replace("e-0", "e-") : String(value);

  for (const [place, value] of data.layers.entries()) layer.add(new Option(value, place));
  for (const [place, value] of data.eps.entries()) eps.add(new Option(threshold(value), place));
  at.max = count - 1;

  const number = (value) => value === null || value === undefined ? "–"
    : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5) ? value.toExponential(2) : String(+value.toPrecision(4));
  const numeric = (value) => typeof value === "number" && Number.isFinite(value);

  // What is drawn of each name: its class, and thereby its colour and dash.
  const STYLES = { "loss": "c-loss", "test loss": "c-test", "V(B)": "c-reach", "envelope": "c-envelope" };
  // Layers from violet to yellow by depth, so that no two share a colour.
  const ofLayer = (place) => `--c:hsl(${Math.round(265 - 215 * place / Math.max(data.layers.length - 1, 1))} 65% var(--depth))`;

  // An axis over values; `decades` is how far below the largest one a logarithmic axis goes.
  function axis(values, log, decades = 18) {
    const known = values.filter((value) => numeric(value) && (!log || value > 0)).map((value) => log ? Math.log10(value) : value);
    let low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!known.length) { low = 0; high = 1; }
    if (log) low = Math.max(low, high - decades);
    if (high - low < 1e-12) { low -= 0.5; high += 0.5; }
    return { low, high, log, ticks: ticks(low, high, log) };
  }

  function ticks(low, high, log) {
    // Within two decades powers of ten are too few to read by.
    if (log && high - low < 2) {
      const fine = [];
      for (let power = Math.floor(low); power <= high; power += 1)
        for (const times of [1, 2, 5]) {
          const tick = times * 10 ** power;
          if (Math.log10(tick) >= low && Math.log10(tick) <= high) fine.push(+tick.toPrecision(2));
        }
      if (fine.length > 1) return fine;
    }
    const found = [];
    const rough = (high - low) / 5, unit = log ? Math.max(1, Math.ceil(rough)) : 10 ** Math.floor(Math.log10(rough));
    const step = log ? unit : unit * [1, 2, 5, 10].find((times) => unit * times >= rough);
    for (let tick = Math.ceil(low / step) * step; tick <= high + 1e-9; tick += step)
      found.push(log ? 10 ** tick : +tick.toPrecision(6));
    return found.length ? found : [log ? 10 ** low : low, log ? 10 ** high : high];
  }

  const said = (tick, log) => log && Math.abs(Math.log10(tick)) >= 3 ? `1e${Math.round(Math.log10(tick))}` : number(tick);

  // Place both axes in the picture; on a logarithmic one values at or below 0 have no place.
  function placed(x, y) {
    const left = 14 + LETTER * Math.max(...y.ticks.map((tick) => said(tick, y.log).length));
    const on = (side, from, to) => (value) => {
      if (!numeric(value) || (side.log && value <= 0)) return null;
      const shown = Math.min(Math.max(side.log ? Math.log10(value) : value, side.low), side.high);
      return from + (to - from) * (shown - side.low) / (side.high - side.low);
    };
    return { x: on(x, left, W - R), y: on(y, H - B, T), left };
  }

  function frame(x, y, at, xName, yName) {
    const lines = y.ticks.map((tick) => `<path class="grid-line" d="M${at.left} ${at.y(tick)}H${W - R}"/><text x="${at.left - 6}" y="${at.y(tick) + 4}" text-anchor="end">${said(tick, y.log)}</text>`);
    // A number is left out where it would touch the one before it; the last one ends with the axis.
    let free = -Infinity;
    const feet = x.ticks.map((tick) => {
      const text = said(tick, x.log), half = LETTER * text.length / 2;
      const middle = Math.min(Math.max(at.x(tick), half), W - 1 - half);
      if (middle - half < free) return "";
      free = middle + half + LETTER;
      return `<text x="${middle}" y="${H - B + 16}" text-anchor="middle">${text}</text>`;
    });
    return `${lines.join("")}${feet.join("")}<path class="axis" d="M${at.left} ${T}V${H - B}H${W - R}"/>`
      + `<text x="${W - R}" y="${H - 6}" text-anchor="end">${xName}</text><text x="2" y="12">${yName}</text>`;
  }

  function path(xs, ys, at, style, more = "") {
    let pen = "M", d = "";
    xs.forEach((value, place) => {
      const [px, py] = [at.x(value), at.y(ys[place])];
      if (px === null || py === null) { pen = "M"; return; }
      d += `${pen}${px.toFixed(1)} ${py.toFixed(1)}`; pen = "L";
    });
    return d ? `<path class="curve ${style}" style="${more}" d="${d}"/>` : "";
  }

  function mark(px, py, shape, style) {
    if (px === null || py === null) return "";
    const [x, y] = [px.toFixed(1), py.toFixed(1)];
    return shape === "diamond" ? `<path class="mark ${style}" d="M${x} ${py - 6}l6 6l-6 6l-6 -6z"/>`
      : `<circle class="mark ${style}" cx="${x}" cy="${y}" r="${shape === "dot" ? 2.8 : 5.5}"/>`;
  }

  const cursor = (at, step) => `<path class="cursor" d="M${at.x(step)} ${T}V${H - B}"/>`;

  function draw(name, inner) {
    const svg = byId(name);
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    svg.innerHTML = inner;
  }

  // A key shows a piece of each line or mark beside its name.
  function keys(name, entries) {
    byId(name).innerHTML = entries.map(([style, text, shape, more]) => {
      const inner = shape ? mark(13, 5, shape, style) : `<path class="curve ${style}" style="${more ?? ""}" d="M0 5H26"/>`;
      return `<span><svg viewBox="0 0 26 10" aria-hidden="true">${inner}</svg>${text}</span>`;
    }).join("");
  }

  const overSteps = axis(data.steps, false);
  const floor = () => data.floors.map((floors) => floors[eps.value] ?? null);

  function losses(now) {
    const all = [...Object.entries(data.series).map(([name, values]) => [STYLES[name], name, values]),
      ["c-floor", `floor at ε = ${threshold(data.eps[eps.value])}`, floor()]];
    const kept = all.filter(([, , values]) => values.some((value) => numeric(value) && value > 0));
    const y = axis(kept.flatMap(([, , values]) => values), true), at = placed(overSteps, y);
    const bands = data.stages.parts.filter((part) => part.kind === "plateau").map((part) => {
      const [from, to] = [at.x(part.from), at.x(part.to)];
      return `<rect class="plateau" x="${from}" y="${T}" width="${Math.max(to - from, 1)}" height="${H - B - T}"/>`;
    }).join("");
    const lines = kept.map(([style, , values]) => path(data.steps, values, at, style)).join("");
    draw("losses", `${bands}${frame(overSteps, y, at, "step", "loss")}${lines}${cursor(at, data.steps[now])}`);
    keys("losses-key", kept.map(([style, name]) => [style, name]));
  }

  function ranks(now) {
    const own = data.layers.map((_, place) => data.ranks.map((layers) => layers[place]?.[eps.value]?.[0] ?? null));
    const y = axis([0, ...own.flat()], false), at = placed(overSteps, y);
    const lines = own.map((values, place) => path(data.steps, values, at, +layer.value === place ? "chosen" : "", ofLayer(place))).join("");
    draw("ranks", `${frame(overSteps, y, at, "step", "ε-rank")}${lines}${cursor(at, data.steps[now])}`);
    keys("ranks-key", data.layers.map((value, place) => ["", `layer ${value}`, null, ofLayer(place)]));
  }

  function spectrum(now) {
    const values = data.spectra[now][layer.value] ?? [], first = data.spectra[0][layer.value] ?? [];
    const line = data.eps[eps.value];
    const x = axis([0, Math.max(values.length, 2) + 1], false);
    const y = axis([...data.spectra.flatMap((layers) => layers[layer.value] ?? []), line], true), at = placed(x, y);
    const dots = (from, style) => from.map((value, place) => mark(at.x(place + 1), at.y(value), "dot", style)).join("");
    draw("spectrum", `${frame(x, y, at, "number k of the eigenvalue", "λ")}${dots(first, "c-past")}${dots(values, "c-loss")}<path class="curve c-eps" d="M${at.left} ${at.y(line)}H${W - R}"/>`);
    keys("spectrum-key", [["c-loss", `at step ${data.steps[now]}`, "dot"], ["c-past", `at step ${data.steps[0]}`, "dot"], ["c-eps", `ε = ${threshold(line)}`]]);
  }

  // The curve of this step, or of the last one before it that has one.
  const curveAt = (now) => data.curves.known.findLast((known) => known.at <= now) ?? data.curves.known[0];

  // One frame for all steps, so that the slider moves the curve and not the axes.
  const norms = data.curves.known.flatMap((known) => [known.norm / 100, known.norm * 300].filter((norm) => norm > 0));
  const overNorms = axis(norms, true);
  const curveLosses = axis(data.curves.known.flatMap((known) =>
    [known.loss, known.loss / 2, ...known.values.filter((_, place) => known.norms[place] <= known.norm * 300)]), true, 12);

  function curve(now) {
    const known = curveAt(now);
    if (!known) {
      byId("curve").closest("figure").hidden = true;
      return;
    }
    const at = placed(overNorms, curveLosses), inside = (norm) => norm > 0 && Math.log10(norm) <= overNorms.high + 1e-9 && Math.log10(norm) >= overNorms.low - 1e-9;
    const kept = known.norms.map((norm, place) => inside(norm) ? known.values[place] : null);
    const past = data.curves.known.filter((one) => one.at < known.at);
    const half = known.loss / 2;
    draw("curve", frame(overNorms, curveLosses, at, "norm B of the output layer", "loss")
      + path([...past, known].map((one) => one.norm), [...past, known].map((one) => one.loss), at, "c-past")
      + `<path class="curve c-half" d="M${at.left} ${at.y(half)}H${W - R}"/>` + path(known.norms, kept, at, "c-reach")
      + (inside(known.half) ? mark(at.x(known.half), at.y(half), "diamond", "c-envelope") : "")
      + mark(at.x(known.norm), at.y(known.loss), "disc", "c-loss"));
    keys("curve-key", [["c-reach", "V(B)"], ["c-loss", "this network", "disc"], ["c-past", "its way so far"], ["c-half", "half its loss"],
      ...(inside(known.half) ? [["c-envelope", "least norm that halves it", "diamond"]] : [])]);
    byId("curve-says").textContent = `Step ${data.steps[known.at]}: ${known.reading}.`;
  }

  function stage(step) {
    const part = data.stages.parts.find((one) => one.from <= step && step <= one.to);
    if (!part) return "";
    const total = data.stages.parts.filter((one) => one.kind === part.kind).length;
    return `this is ${part.kind} ${part.number} of ${total} (steps ${part.from} to ${part.to})`;
  }

  function says(now) {
    const pair = data.ranks[now][layer.value]?.[eps.value] ?? [null, null];
    const rank = pair[0] === pair[1] ? pair[0] : `between ${pair[0]} and ${pair[1]}`;
    const loss = data.series.loss[now], reach = data.series["V(B)"][now], below = floor()[now], where = stage(data.steps[now]);
    const parts = [`Step ${data.steps[now]}: the loss is ${number(loss)}`];
    if (numeric(reach)) parts.push(`V(B) = ${number(reach)} at norm B = ${number(data.norm[now])}${reach > 0 ? ` (loss/V = ${number(loss / reach)})` : ""}`);
    if (numeric(below)) parts.push(`the floor from the ε-rank of the last hidden layer is ${number(below)}`);
    parts.push(`layer ${data.layers[layer.value]} has ε-rank ${rank} of ${data.neurons[layer.value]} at ε = ${threshold(data.eps[eps.value])}`);
    if (where) parts.push(where);
    byId("says").textContent = `${parts.join("; ")}.${data.readings[now] ? ` Reading: ${data.readings[now]}.` : ""}`;
  }

  function show() {
    const now = +at.value;
    byId("step").textContent = data.steps[now];
    losses(now); curve(now); ranks(now); spectrum(now); says(now);
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

  // As wide as the panel, and never so narrow that the numbers of the axes do not fit.
  function fit() {
    W = Math.max(300, Math.round(byId("losses").getBoundingClientRect().width) || 560);
    H = Math.round(Math.min(310, Math.max(240, 0.62 * W)));
    show();
  }

  byId("stages").textContent = `Stages of the loss: ${data.stages.says}`;
  for (const field of [at, layer, eps]) field.addEventListener("input", keep);
  addEventListener("hashchange", read);
  addEventListener("resize", fit);
  read();
  fit();
})();
