"""What ``epsrank sweep`` prints at the end: medians over the seeds, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.cli.console import notice, number, print_json, print_table
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.sweeps import Outcome, Sweep
    from epsrank.numerics.sweeps.summary import SettingSummary

_SHOWN = 10  # failures that are named one by one

_HEADINGS = {
    "loss": "final loss",
    "test_loss": "test loss",
    "test_accuracy": "test accuracy",
    "reachable": "V(B)",
    "reading": "readings",
}


def failures_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the trials that could not be carried out."""
    return [
        {"settings": dict(outcome.settings), "cause": outcome.cause}
        for outcome in outcomes
        if outcome.status == "failed"
    ]


def check_shown(plan: Sweep, show: Sequence[str]) -> None:
    """Refuse columns that a sweep does not have, before anything runs."""
    from epsrank.numerics.sweeps.figures import STEPS_TO
    from epsrank.theory.errors import InputError

    known = [*_HEADINGS, "rank", "stairs", *(f"{STEPS_TO}{loss:g}" for loss in plan.targets)]
    unknown = [name for name in show if name not in known and plan.kind == "train"]
    if unknown:
        raise InputError("--show", f"is {unknown[0]!r}", f"choose some of {', '.join(known)}")


def print_results(
    plan: Sweep, folder: Path, outcomes: Sequence[Outcome], as_json: bool, show: Sequence[str] = ()
) -> None:
    """Write the table of all runs, and print the medians over the seeds; `show` names columns."""
    from epsrank.numerics.files import write_table
    from epsrank.numerics.sweeps.summary import results_table, summarise

    results = folder / "results.parquet"
    table = results_table(outcomes, plan.targets)
    write_table(results, table)
    summaries, failures = summarise(outcomes, plan.targets), failures_of(outcomes)
    names = _figures(summaries, outcomes, show)
    if as_json:
        print_json(
            {
                "out": str(folder),
                "results": str(results),
                "trials": len(outcomes),
                "done": len(outcomes) - len(failures),
                "failed": len(failures),
                "settings": [summary.to_json() for summary in summaries],
                "failures": failures,
            }
        )
        return
    columns = [*plan.varied, "runs", *names.values()]
    rows = [_row(plan.varied, names, summary) for summary in summaries]
    note = f"medians over the seeds with the interval that order statistics give; {results}"
    print_table(columns, rows, title=f"{plan.source}: {plural(len(outcomes), 'run')}", note=note)
    for failure in failures[:_SHOWN]:
        notice(f"failed: {_named(plan, failure['settings'])}: {failure['cause']}")
    if len(failures) > _SHOWN:
        notice(f"{len(failures) - _SHOWN} more failed; see {results}")


def _named(plan: Sweep, settings: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={settings[name]}" for name in (*plan.varied, "seed"))


def _figures(
    summaries: Sequence[SettingSummary], outcomes: Sequence[Outcome], show: Sequence[str]
) -> dict[str, str]:
    """Return the figures to print and their headings; the two ends of a rank are one."""
    from epsrank.numerics.sweeps.figures import STEPS_TO

    # The first ε of each run; the heading has it where all share it.
    eps = {next(iter(entry.result.get("rank_lower", {"": None}))) for entry in outcomes} - {""}
    at = f" at {float(eps.pop()):g}" if len(eps) == 1 else ""
    headings = _HEADINGS | {"rank": f"final ε-rank{at}"}
    found = dict.fromkeys(name for summary in summaries for name in summary.medians)
    known = ["rank" if name == "rank_lower" else name for name in found if name != "rank_upper"]
    if any(summary.readings for summary in summaries):
        known.append("reading")
    trained = all(outcome.trial.kind == "train" for outcome in outcomes)
    # Where it was measured, the share of right answers says more than the loss does.
    quality = "test_accuracy" if "test_accuracy" in known else "test_loss"
    usual = ("loss", quality, "rank", "reading")
    chosen = list(show) or [
        name for name in known if not trained or name in usual or name.startswith(STEPS_TO)
    ]
    return {name: headings.get(name, name.replace(STEPS_TO, "steps to ")) for name in chosen}


def _row(varied: Sequence[str], names: Mapping[str, str], summary: SettingSummary) -> list[str]:
    """Return a line of the table."""
    troubles = [
        f"{count} {name}"
        for name, count in (("failed", summary.failed), ("diverged", summary.diverged))
        if count
    ]
    settings = [str(summary.settings[name]) for name in varied]
    cells = [_cell(name, summary) for name in names]
    return [*settings, ", ".join([str(summary.runs), *troubles]), *cells]


def _cell(name: str, summary: SettingSummary) -> str:
    """Format a median, or how often each reading was met."""
    if name == "reading":
        readings = sorted(summary.readings.items(), key=lambda item: -item[1])
        return ", ".join(f"{count} {reading}" for reading, count in readings) or "—"
    lower = summary.medians.get("rank_lower" if name == "rank" else name)
    if lower is None:
        return "—"
    # Both ends of a rank where rounding leaves them apart.
    upper = summary.medians.get("rank_upper", lower) if name == "rank" else lower
    value = _figure(lower.value)
    if upper.value != lower.value:
        value += f" to {_figure(upper.value)}"
    return f"{value} [{_figure(lower.low)}, {_figure(upper.high)}] {100 * lower.coverage:.1f} %"


def _figure(value: float) -> str:
    words = {float("inf"): "∞", float("-inf"): "−∞"}
    return words.get(value) or number(value)
