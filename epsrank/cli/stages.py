"""``epsrank stages``: every quantity of a training on one axis, and the order of their changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from epsrank.cli.console import notice, print_json, print_table, say
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command, is_name, is_pair
from epsrank.cli.plot_sweep import pairs_of
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.stages.order import EventTimes, PairOrder
    from epsrank.numerics.stages.passages import Passage
    from epsrank.numerics.stages.result import Stages


@click.command(
    cls=Command,
    lists={"--column": is_pair, "--where": is_pair, "--against": is_name, "--setting": is_name},
    names={"columns": "--column"},
)  # fmt: skip
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
@click.option(
    "--column", "columns", multiple=True, metavar="NAME=COLUMN…",
    help="Columns by what they are: loss, rank:2, lambda_h, frequency:3, …",
)  # fmt: skip
@click.option("--eps", type=float, metavar="E", help="Threshold of the ranks.  [default: first]")
@click.option(
    "--momentum", type=float, metavar="M",
    help="Trained by heavy-ball descent: hold λ_H against 2(1 + M)/rate.",
)  # fmt: skip
@click.option("--level", type=float, metavar="LOSS", help="Loss of the second plateau.")
@click.option(
    "--against", multiple=True, metavar="NAME…",
    help="Order events against these quantities only, such as rank.",
)  # fmt: skip
@click.option("--pairs", is_flag=True, help="Print all pairs, not only neighbours in the order.")
@click.option("--names", metavar="PATTERN", help="Ends of the paths, as w{width}/seed{seed}.csv.")
@click.option("--seed", metavar="COLUMN", help="Column of the seed, in files of several runs.")
@click.option("--setting", "settings", multiple=True, metavar="COLUMN…", help="Of settings.")
@click.option("--where", multiple=True, metavar="NAME=VALUE…", help="Take these runs only.")
@click.option("--out", metavar="FIGURE", help="Draw it: .svg, .png or .pdf.")
@click.option(
    "--along", type=click.Choice(["auto", "linear", "log"]), default="auto", show_default=True,
    help="Axis of steps of the figure.",
)  # fmt: skip
@consent_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def stages(
    sources: tuple[str, ...],
    columns: tuple[str, ...],
    eps: float | None,
    momentum: float | None,
    level: float | None,
    against: tuple[str, ...],
    pairs: bool,
    names: str | None,
    seed: str | None,
    settings: tuple[str, ...],
    where: tuple[str, ...],
    out: str | None,
    along: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Put all that was measured of a training on one axis, and order the moments of change.

    SOURCE is a folder of `epsrank train`, `sweep` or `import`, the history of a RankMonitor, or
    what another program wrote: CSV, JSON Lines, parquet, a folder of TensorBoard, a CSV of W&B.
    Several are runs of one setting. Usual names of columns (`train/loss`, `eval/sharpness`,
    `grad_norm`, `lr`) are understood. It prints the stages of the loss, when each quantity first
    passed its level (between two measurements), and over several runs which came before which.
    """
    from epsrank.cli.estimates import weigh_stages
    from epsrank.numerics.stages.entry import stages_by_setting
    from epsrank.numerics.stages.reading import asked, read_axes

    if out is not None:
        # Before anything is said: a figure that cannot be written is a wrong command.
        from epsrank.numerics.plots.save import figure_format

        figure_format(out, "--out")
    how = asked(
        pairs_of(columns, "--column"), eps, momentum, pairs_of(where, "--where"), names, seed,
        settings,
    )  # fmt: skip
    runs = read_axes(list(sources), how)
    weigh_stages(runs, yes=yes)
    source = sources[0] if len(sources) == 1 else f"{len(sources)} sources"
    found = stages_by_setting(source, runs, level=level, against=against)
    if out is not None and len(found) > 1:
        from epsrank.theory.errors import InputError

        told = sorted({name for each in found for name in each.settings})
        raise InputError(
            "--out", f"draws one setting, and there are {len(found)}",
            f"choose one with --where NAME=VALUE, of {', '.join(told)}",
        )  # fmt: skip
    if as_json:
        print_json({"stages": [each.to_json() for each in found]})
    else:
        for place, each in enumerate(found):
            if place:
                say()
            _tell(each, len(found) > 1, pairs)
    if out is not None:
        from epsrank.numerics.plots.save import save_figure
        from epsrank.numerics.plots.training_stages import draw_training_stages

        file = save_figure(draw_training_stages(found[0], along=along), out)  # type: ignore[arg-type]
        if not as_json:
            say(str(file))


def _tell(found: Stages, several: bool, all_pairs: bool) -> None:
    """Print the stages, the passages and the order of one setting."""
    from epsrank.numerics.stages.axis import present

    low, high = found.span
    count = len(found.runs)
    say(
        f"{found.source}: {plural(count, 'run')}, {plural(len(present(found.runs)), 'quantity')}, "
        f"steps {_step(low)} to {_step(high)}"
    )
    if several:
        say(", ".join(f"{name} = {value}" for name, value in found.settings.items()))
    _tell_phases(found)
    rows = [row for row in found.events if row.known]
    if not rows:
        say("no first passages")
    elif count == 1:
        lines = [
            [str(place + 1), row.event.name, *_ends(row.known[0])] for place, row in enumerate(rows)
        ]
        print_table(["", "first passage", "after step", "by step"], lines)
    else:
        lines = [[str(place + 1), *_row(row)] for place, row in enumerate(rows)]
        notes = ["∞: most runs never got there"] if any(line[3] == "∞" for line in lines) else []
        if any(row.gap is not None for row in rows):
            notes.append("or: half of the runs by the first step, half from the second on")
        print_table(
            ["", "first passage", "reached", "median step", "interval of the median"], lines,
            note="; ".join(notes),
        )  # fmt: skip
        _tell_pairs(found, rows, all_pairs)
    for row in found.events:
        for reason in row.reasons:
            say(f"not there: {row.event.name}: it {reason}")
    say(f"not measured: {', '.join(found.absent)}")
    unused = list(dict.fromkeys(name for run in found.runs for name in run.unused))
    if unused:
        more = f" and {len(unused) - 8} more" if len(unused) > 8 else ""
        say(f"columns not used: {', '.join(unused[:8])}{more}")
    for run in found.runs:
        for note in run.notes:
            notice(f"{run.name}: {note}")


def _tell_phases(found: Stages) -> None:
    from epsrank.numerics.plots.training_stages import shaded

    shown = [
        f"{name} {_step(start)}–{'end' if math.isinf(end) else _step(end)}"
        for name, start, end in shaded(found)
    ]
    if shown:
        say(f"stages of the loss{' (medians)' * (len(found.runs) > 1)}: {', '.join(shown)}")
    said = [phases.detector for phases in found.phases if phases is not None]
    if len(said) == 1:
        say(f"detector: {said[0]}")
    elif said:
        kinds = [words.partition(":")[0] for words in said]
        told = (f"{kinds.count(kind)} of {len(kinds)} {kind}" for kind in dict.fromkeys(kinds))
        say(f"detector: {', '.join(told)}")


def _ends(passage: Passage) -> list[str]:
    """Return the ends of one passage as cells."""
    after = "before the first" if passage.at_start else _step(passage.after)
    return [after, "never" if passage.censored else _step(passage.by)]


def _row(row: EventTimes) -> list[str]:
    median = row.median
    assert median is not None
    return [
        row.event.name,
        f"{row.reached} of {len(row.known)}",
        row.middle,
        f"[{_step(median.low)}, {_step(median.high)}] {100 * median.coverage:.1f} %",
    ]


def _step(value: float) -> str:
    from epsrank.numerics.stages.axis import whole

    return whole(value)


def _tell_pairs(found: Stages, rows: Sequence[EventTimes], all_pairs: bool) -> None:
    """Print how often one event came before another."""
    by_names = {(pair.first, pair.second): pair for pair in found.pairs}
    order = [row.event.name for row in rows]
    chosen = list(found.pairs)
    if not all_pairs:
        chosen = [by_names[pair] for pair in pairwise(order) if pair in by_names]
    title = "order" if all_pairs else "order of neighbours (--pairs for all pairs)"
    if chosen:
        print_table(
            ["first", "second", "before", "after", "tied", "share", "p", "p (Holm)"],
            [_pair(pair) for pair in chosen],
            title=title,
        )
    established = len(found.established)
    say(
        f"{established} of {plural(len(found.pairs), 'pair has', 'pairs have')} an established "
        "order (0.05 after Holm)"
    )
    if found.least_pvalue > 0.05 and found.pairs:
        say(
            f"so few runs cannot establish any of {plural(len(found.pairs), 'pair')} (least p "
            f"{found.least_pvalue:.3g}); compare fewer with --against rank, or train more seeds"
        )


def _pair(pair: PairOrder) -> list[str]:
    share = pair.share
    told = "–" if share is None else f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"
    return [pair.first, pair.second, str(pair.before), str(pair.after), str(pair.tied), told,
            f"{pair.pvalue:.3g}", f"{pair.adjusted:.3g}"]  # fmt: skip
