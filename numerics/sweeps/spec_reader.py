"""From the text of a specification to its checked entries; an error names the line at fault."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, NoReturn

from epsrank.numerics.boundary import reason_of
from epsrank.numerics.sweeps.distributions import Distribution
from epsrank.numerics.sweeps.toml_lines import line_of
from epsrank.numerics.sweeps.trial import TRIAL_KINDS
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.written import reader
from epsrank.theory.words import plural

_ENTRIES = ("kind", "seeds", "targets", "fixed", "grid", "random", "exclude")
_OF_RANDOM = ("samples", "seed")
#: More trials than this are taken for a mistake.
MOST_TRIALS = 100_000


def place(source: str, line: int | None) -> str:
    """Say where in a document something stands."""
    return f"{source}:" if line is None else f"{source}, line {line}:"


class SpecReader:
    """Reads one document."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source
        try:
            self.entries = tomllib.loads(text, parse_float=reader(float, source))
        except InputError:
            raise
        except tomllib.TOMLDecodeError as error:
            # tomllib has the line in its message alone.
            found = re.search(r"\s*\(at line (\d+), column \d+\)", str(error))
            line = int(found[1]) if found else None
            reason = str(error).replace(found[0], "") if found else str(error)
            raise InputError(
                place(source, line), f"is not TOML ({reason})", "fix the file"
            ) from None
        # Nested too deeply, or an integer of thousands of digits.
        except (RecursionError, ValueError) as error:
            raise InputError(
                place(source, None), f"is not TOML ({reason_of(error)})", "fix the file"
            ) from None

    def read(self) -> dict[str, Any]:
        """Return the entries of a `Sweep`."""
        if not self.entries:
            raise InputError(
                self.source,
                "is empty, and would train by the defaults",
                "write [fixed], [grid] or seeds, such as seeds = 5",
            )
        self._known("", self.entries, _ENTRIES, "an entry of a sweep")
        kind = self.entries.get("kind", "train")
        if not isinstance(kind, str) or kind not in TRIAL_KINDS:
            self._refuse("", "kind", f"is {kind!r}", f"choose one of {', '.join(TRIAL_KINDS)}")
        fixed, grid, drawn = (self._table(name) for name in ("fixed", "grid", "random"))
        samples = self._whole(drawn, "samples", 1, least=1)
        random_seed = self._whole(drawn, "seed", 0, least=0)
        drawn = {name: value for name, value in drawn.items() if name not in _OF_RANDOM}
        self._settings(kind, {"fixed": fixed, "grid": grid, "random": drawn})
        for name, values in grid.items():
            if not isinstance(values, list) or not values:
                self._refuse("grid", name, f"is {values!r}", f"write a list, {name} = [{values!r}]")
        seeds, samples = self._seeds(), samples if drawn else 1
        count = math.prod(len(values) for values in grid.values()) * samples * len(seeds)
        # From the lengths, before a product is made that may not fit into memory.
        if count > MOST_TRIALS:
            raise InputError(
                self.source,
                f"makes {plural(count, 'trial')}",
                f"ask for at most {MOST_TRIALS} at a time",
            )
        if not drawn and "random" in self.entries:
            self._refuse("random", None, "draws nothing", "name a setting and its distribution")
        return {
            "kind": kind,
            "fixed": fixed,
            "grid": grid,
            "random": tuple(self._distribution(name, value) for name, value in drawn.items()),
            "samples": samples,
            "random_seed": random_seed,
            "seeds": seeds,
            "exclude": self._exclude({**fixed, **grid, **drawn}),
            "targets": self._targets(),
        }

    def _refuse(
        self, table: str, key: str | None, problem: str, remedy: str, occurrence: int = 0
    ) -> NoReturn:
        """Say what is wrong with an entry, and on which line it stands."""
        line = line_of(self.text, table, key, occurrence=occurrence)
        name = key or table
        raise InputError(f"{place(self.source, line)} {name}", problem, remedy)

    def _known(
        self, table: str, names: Collection[str], known: Collection[str], what: str, nth: int = 0
    ) -> None:
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                remedy = f"write {near[0]}" if near else f"use {', '.join(known)}"
                self._refuse(table, name, f"is not {what}", remedy, nth)

    def _table(self, name: str) -> dict[str, Any]:
        values = self.entries.get(name, {})
        if not isinstance(values, dict):
            self._refuse("", name, f"is {values!r}", f"write a table, [{name}]")
        return values

    def _whole(self, table: Mapping[str, Any], name: str, default: int, *, least: int) -> int:
        value = table.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self._refuse("random", name, f"is {value!r}", f"write a whole number ≥ {least}")
        return value

    def _settings(self, kind: str, tables: Mapping[str, Mapping[str, Any]]) -> None:
        """Check the names of settings: known, given once, and not the seed."""
        seen: dict[str, str] = {}
        for table, entries in tables.items():
            if kind == "train":
                from epsrank.numerics.training.config import RunConfig

                known = [entry.name for entry in fields(RunConfig)]
                self._known(table, entries, known, "a setting of a run")
            for name in entries:
                if name == "seed":
                    self._refuse(table, name, "is set apart", "write seeds = [0, 1, …] at the top")
                if name in seen:
                    self._refuse(table, name, f"is also in [{seen[name]}]", "name it once")
                seen[name] = table

    def _distribution(self, name: str, given: Any) -> Distribution:
        try:
            return Distribution.parse(name, given)
        except InputError as error:
            self._refuse("random", name, error.problem, error.remedy)

    def _seeds(self) -> tuple[int, ...]:
        given = self.entries.get("seeds", 5)
        remedy = "write how many, seeds = 5, or which, seeds = [0, 1, 2]"
        if isinstance(given, bool) or not isinstance(given, (int, list)):
            self._refuse("", "seeds", f"is {given!r}", remedy)
        # One more than allowed is refused as well, and makes no list of 10¹² numbers.
        seeds = list(range(min(given, MOST_TRIALS + 1))) if isinstance(given, int) else given
        whole = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
        if not seeds or not whole or min(seeds) < 0 or max(seeds) >= 2**63:
            self._refuse("", "seeds", f"is {given!r}", remedy)
        if len(set(seeds)) < len(seeds):
            self._refuse("", "seeds", f"is {given!r}", "name each seed once")
        return tuple(seeds)

    def _targets(self) -> tuple[float, ...]:
        given = self.entries.get("targets", [])
        fits = isinstance(given, list) and all(
            isinstance(loss, (int, float)) and not isinstance(loss, bool) and 0 < loss < math.inf
            for loss in given
        )
        if not fits or len(set(given)) < len(given):
            remedy = "write different positive losses, targets = [0.1, 0.01]"
            self._refuse("", "targets", f"is {given!r}", remedy)
        return tuple(float(loss) for loss in given)

    def _exclude(self, settings: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        rules = self.entries.get("exclude", [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            self._refuse("", "exclude", f"is {rules!r}", "write tables, [[exclude]]")
        for nth, rule in enumerate(rules):
            if not rule:
                self._refuse("exclude", None, "names no setting", "name some", nth)
            self._known("exclude", rule, tuple(settings), "a setting of this sweep", nth)
        return tuple(rules)
