"""B3: orientations of the input weights before the loss has fallen, against the multiplicity.

Settings of the source: 80 samples of Σ 3.5 sin(5x_k + 1) on [−4, 2]^5, 50 neurons, all weights
N(0, 0.005²), Adam at 1e-3, full batch, float64; two hidden layers, x·tanh and x²·tanh (p = 2 and 3)
in one and in five dimensions; controls at fan_in^−½. Neurons below a fifth of the largest amplitude
are set aside. The window ends at the last step before the loss has fallen by 2 %.

Rules, of one event per seed, established for more than half of all seeds by the interval of a
median. *condensation*: the network of the source (and every other with p = 1 and small weights) has
at most one orientation in the window with signs identified, it holds at least `share` of the
amplitude, and there are fewer than in the control of the same seed: all three in that seed.
*condensation-multiplicity*: at most 2p orientations, signs told apart; where theory covers it
(p = 1, or one dimension) and where not. Supported where all networks keep the bound, a regime where
some do, refuted where the median number is established to exceed it in all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Picture,
    Table,
    effect,
    family_pvalue,
    sign,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.initial.judged import judge, other_levels
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The order of each activation at 0.
MULTIPLICITY = {"tanh": 1, "x·tanh": 2, "x²·tanh": 3}
_USUAL: Mapping[str, Any] = {
    "inputs": 5,
    "samples": 80,
    "width": 50,
    "hidden": 1,
    "activation": "tanh",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "epochs": [100, 400],
}


def plan(request: Request) -> list[Trial]:
    """Return one trial of all seeds per network."""
    rules = experiment_rules("B3", request.size)
    return [
        Trial(
            "condensing",
            {**_USUAL, "std": rules["std"]}
            | network
            | ({"std": None} if "std" in network else {})
            | {"seed": request.first, "count": len(request.seed_range(rules["seeds"]))},
        )
        for network in rules["networks"]
    ]


def name(settings: Mapping[str, Any], layer: int = 0) -> str:
    """Name a network, and which of its hidden layers, by what differs from the source's."""
    words = [settings["activation"], f"{settings['inputs']}-d"]
    if settings["hidden"] > 1:
        words.append(f"layer {layer + 1} of {settings['hidden']}")
    if settings["width"] != _USUAL["width"]:
        words.append(f"width {settings['width']}")
    if settings["optimizer"] != "adam":
        words.append("plain descent")
    if settings["std"] is None:
        words.append("default scale")
    return ", ".join(words)


def layers_of(outcome: Outcome, epoch: str | None = None) -> list[dict[int, Mapping[str, Any]]]:
    """Return what is known of each hidden layer by seed, in the window or at an epoch."""
    result, settings = outcome.result, outcome.settings
    found: list[dict[int, Mapping[str, Any]]] = [{} for _ in range(settings["hidden"])]
    for place in range(settings["count"]):
        if epoch is None:
            held = result["window"]["usual"][place]
            layers = None if held is None else held["layers"]
        else:
            at = result["at"].get(epoch)
            layers = None if at is None else at[place]
        for layer, entry in enumerate(layers or ()):
            found[layer][settings["seed"] + place] = entry
    return found


def _vote(holds: bool) -> float:
    """Return 1 of a seed in which all parts of a claim hold, −1 of one in which some do not."""
    return 1.0 if holds else -1.0


def _established(effects: list[Effect], votes: Mapping[int, float], name: str) -> bool:
    """Add the median vote to the effects; tell whether most seeds are established to hold."""
    item = effect(f"{name}: 1, or −1 of not", list(votes.values()))
    effects += [] if item is None else [item]
    return item is not None and sign(item) > 0


def condenses(done: Sequence[Outcome], rules: Mapping[str, Any]) -> Finding:
    """Judge networks with p = 1: one orientation, most amplitude, fewer than control, by seed."""
    effects: list[Effect] = []
    votes, holds, against, words = [], [], [], []
    controls = {
        outcome.settings["hidden"]: layers_of(outcome)
        for outcome in done
        if outcome.settings["std"] is None
    }
    for outcome in done:
        settings = outcome.settings
        if settings["std"] is None or settings["activation"] != "tanh":
            continue
        for layer, by_seed in enumerate(layers_of(outcome)):
            if not by_seed:
                continue
            where = name(settings, layer)
            count = effect(f"orientations in the window, signs identified, {where}",
                           [e["count"] for e in by_seed.values()], null=1.0)  # fmt: skip
            share = effect(f"share of the largest orientation, {where}",
                           [e["share"] for e in by_seed.values()], null=rules["share"])  # fmt: skip
            assert count is not None
            assert share is not None
            effects += [count, share]
            known = controls.get(settings["hidden"], [{}] * settings["hidden"])[layer]
            fewer = {
                seed: known[seed]["count"] - entry["count"]
                for seed, entry in by_seed.items()
                if seed in known
            }
            less = effect(f"orientations of the control less those of {where}",
                          list(fewer.values()))  # fmt: skip
            effects += [] if less is None else [less]
            votes.append({
                seed: _vote(
                    entry["count"] <= 1 and entry["share"] >= rules["share"] and fewer[seed] > 0
                )
                for seed, entry in by_seed.items()
                if seed in fewer
            })  # fmt: skip
            holds.append(_established(effects, votes[-1], f"all three in a seed, {where}"))
            against.append(sign(count) > 0)
            words.append(f"{count.interval.value:g} ({where})")
    return Finding(
        "condensation",
        judge(holds, against),
        f"Before the loss has fallen by 2 %, medians of orientations with signs identified: "
        f"{', '.join(words) or 'none known'}; in {sum(holds)} of {len(holds)} layers most "
        f"seeds, established, have one with at least {rules['share']:.0%} of the amplitude and "
        "fewer than the same seed at default scale.",
        effects,
        tried=len(effects),
        witness=_witness(done) if against and all(against) else None,
        pvalue=family_pvalue(votes) if votes else None,
    )


def bounded(done: Sequence[Outcome]) -> Finding:
    """Judge whether networks of small weights keep to 2p orientations, signs told apart."""
    effects: list[Effect] = []
    votes, holds, against = [], [], []
    exceeding: list[tuple[str, Mapping[str, Any]]] = []
    for outcome in done:
        settings = outcome.settings
        if settings["std"] is None:
            continue
        bound = 2 * MULTIPLICITY[settings["activation"]]
        for layer, by_seed in enumerate(layers_of(outcome)):
            where = name(settings, layer)
            item = effect(f"orientations in the window over 2p = {bound}, {where}",
                          [entry["signed"] / bound for entry in by_seed.values()],
                          null=1.0)  # fmt: skip
            if item is None:
                continue
            effects.append(item)
            votes.append({s: _vote(entry["signed"] <= bound) for s, entry in by_seed.items()})
            holds.append(_established(effects, votes[-1], f"at most {bound} in a seed, {where}"))
            against.append(sign(item) > 0)
            if against[-1]:
                seed, worst = max(by_seed.items(), key=lambda pair: pair[1]["signed"])
                exceeding.append(
                    (where, {**settings, "seed": seed, "orientations": worst["signed"]})
                )
    beyond = ", ".join(where for where, _ in exceeding) or "none"
    return Finding(
        "condensation-multiplicity",
        judge(holds, against),
        f"Most seeds, established, keep to 2p orientations in {sum(holds)} of {len(holds)} layers; "
        f"medians beyond are established for {beyond}.",
        effects,
        tried=len(effects),
        witness=dict(exceeding[0][1]) if exceeding else None,
        pvalue=family_pvalue(votes) if votes else None,
    )


def _witness(done: Sequence[Outcome]) -> dict[str, Any]:
    settings = done[0].settings
    counts = {seed: e["count"] for seed, e in layers_of(done[0])[0].items()}
    return {**settings, "orientations by seed": list(counts.values())}


def rows_of(done: Sequence[Outcome]) -> Table:
    """Return the orientations of every layer at every moment, medians over seeds."""
    rows = []
    for outcome in done:
        window = outcome.result["window"]["usual"]
        steps = [held["step"] for held in window if held is not None]
        never = sum(held is None or not held["fallen"] for held in window)
        moments = {"window": None} | {f"epoch {e}": e for e in outcome.result["at"]}
        for moment, epoch in moments.items():
            for layer, by_seed in enumerate(layers_of(outcome, epoch)):
                row: dict[str, Any] = {
                    "network": name(outcome.settings, layer),
                    "moment": moment,
                    "seeds": len(by_seed),
                    "step": float(np.median(steps)) if epoch is None and steps else None,
                    "loss never fell": never if epoch is None else None,
                }
                for column, key in (
                    ("orientations", "count"),
                    ("with signs", "signed"),
                    ("weighted by amplitude", "effective"),
                    ("share of the first", "share"),
                    ("set aside", "aside"),
                    ("their share", "aside_share"),
                ):
                    held = [entry[key] for entry in by_seed.values()]
                    row[column] = float(np.median(held)) if held else None
                rows.append(row)
    return Table("orientations", "Orientations of input weights, medians over seeds", rows)


def judged(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge both claims."""
    rules = experiment_rules("B3", "standard")
    done = [outcome for outcome in outcomes if outcome.status == "done"]
    failed = len(outcomes) - len(done)
    notes = (f"{failed} of {len(outcomes)} trials failed",) if failed else ()
    picture = Picture(
        "orientations",
        "B3: orientations of every seed in the window (dots), and at the start and epochs 100 and "
        "400 (lines of medians), signs identified (claim condensation)",
        partial(_draw, done),
    )
    findings = condenses(done, rules), bounded(done)
    return Analysis(findings, (rows_of(done),), (picture,) if done else (), notes)


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge both claims, and hold back what does not stand with windows of 1 % and of 5 %."""
    return with_panel(judged, outcomes, partial(other_levels, names=("window",)))


def _draw(done: Sequence[Outcome]) -> Figure:
    """Draw counts at the moments, one row per layer."""
    from epsrank.numerics.plots.style import look, new_figure

    layers = [(outcome, k) for outcome in done for k in range(outcome.settings["hidden"])]
    figure = new_figure(7.0, 0.42 * len(layers) + 1.2)
    axes = figure.add_subplot()
    for row, (outcome, layer) in enumerate(layers):
        window = layers_of(outcome)[layer]
        counts = [entry["count"] for entry in window.values()]
        places = row + (np.linspace(-0.2, 0.2, len(counts)) if len(counts) > 1 else 0.0)
        axes.plot(counts, np.broadcast_to(places, len(counts)), "o", color=look(0).colour,
                  markersize=3, alpha=0.6, label="in the window" if row == 0 else None)  # fmt: skip
        for index, epoch in enumerate(("0", "100", "400")):
            held = layers_of(outcome, epoch)[layer]
            if held:
                axes.plot(np.median([entry["count"] for entry in held.values()]), row, "|",
                          color=look(index + 1).colour, markersize=14, markeredgewidth=2,
                          label=f"epoch {epoch}, median" if row == 0 else None)  # fmt: skip
    axes.set_yticks(range(len(layers)), [name(o.settings, k) for o, k in layers], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("number of orientations (cos > 0.95)")
    axes.legend(fontsize=7, frameon=False)
    return figure


EXPERIMENT = Experiment(
    "B3",
    "Condensation before the loss has fallen",
    "arXiv 2105.11686; overview 2504.09484",
    ("condensation", "condensation-multiplicity"),
    plan,
    analyse,
)
