"""Every example of README.md and the guides is run, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.numerics.sweeps import execute
from epsrank.proofs import runner
from epsrank.proofs.checkers.base import EXAMPLES

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/index.md",
    "docs/concepts/eps-rank.md",
    "docs/concepts/chain.md",
    "docs/how-to/what-now.md",
    "docs/how-to/choosing-eps.md",
    "docs/how-to/float32.md",
    "docs/how-to/padding.md",
    "docs/how-to/self-supervised.md",
    "docs/how-to/plasticity.md",
    "docs/measuring-your-features.md",
    "docs/monitoring.md",
    "docs/cli.md",
    "docs/kernels.md",
    "docs/sampling.md",
    "docs/neuron-selection.md",
    "docs/apriori-floors.md",
    "docs/continuous-rank.md",
    "docs/operator-losses.md",
    "docs/theory-plots.md",
    "docs/tightness.md",
    "docs/sweeps.md",
    "docs/staircases.md",
    "docs/stages.md",
    "docs/many-networks.md",
    "docs/which-rank.md",
    "docs/your-own.md",
    "docs/testing-claims.md",
    "docs/phenomena.md",
    "docs/plateau-bounds.md",
]

_BLOCK = re.compile(r"^```(\w+)(?: \S+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Blocks that are files of the user: their names stand behind the language.
_FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRESS = re.compile(r"^epsrank: (?:runs|checks|\S+ step) \d+ of \d+, .*\n", re.MULTILINE)
_NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")


def blocks(page: str) -> list[tuple[str, str]]:
    return _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def files(page: str) -> dict[str, str]:
    return dict(_FILE.findall((ROOT / page).read_text(encoding="utf-8")))


def assert_same(found: str, expected: str) -> None:
    """Words agree to the letter, integers exactly, other numbers to rounding on other machines."""
    assert _NUMBER.sub("#", found).split() == _NUMBER.sub("#", expected).split()
    pairs = zip(_NUMBER.findall(found), _NUMBER.findall(expected), strict=True)
    for left, right in pairs:
        if left.isdigit() and right.isdigit():
            assert left == right
        else:
            assert float(left) == pytest.approx(float(right), rel=0.1)


def console(text: str) -> Iterator[tuple[list[str], str]]:
    for session in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = session.partition("\n")
        yield shlex.split(line, comments=True), output


@pytest.mark.parametrize("page", PAGES)
def test_examples_print_what_the_page_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # The same numbers, and no worker imports torch anew; tests/numerics/sweeps has workers.
    in_turn = partial(execute.carry_out, jobs=1)
    for module in (execute, runner):
        monkeypatch.setattr(module, "carry_out", lambda calls, jobs: in_turn(calls))
    monkeypatch.setitem(EXAMPLES, "quick", 30)
    names: dict[str, Any] = {}
    printed: str | None = None
    tried = 0
    for name, text in files(page).items():
        Path(name).write_text(text, encoding="utf-8")
    for language, text in blocks(page):
        if text in files(page).values():
            continue
        if language == "toml" and not Path("SPEC.toml").exists():
            Path("SPEC.toml").write_text(text, encoding="utf-8")
        elif language == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(text, page, "exec"), names)
            printed, tried = output.getvalue(), tried + 1
        elif language == "text" and printed is not None:
            assert_same(printed, text)
            printed = None
        elif language == "console":
            for words, expected in console(text):
                assert words[0] == "epsrank"
                done = CliRunner().invoke(main, words[1:])
                # A slow machine says every ten seconds how far it is.
                assert_same(_PROGRESS.sub("", done.output), expected)
                tried += 1
    # What a page shows as a test is one that passes.
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in files(page):
        if name.startswith("test_"):
            tests = runpy.run_path(name)
            for test in [tests[found] for found in tests if found.startswith("test_")]:
                test()
    assert tried > 0


@pytest.mark.parametrize("page", PAGES)
def test_commands_shown_but_not_run_are_understood(page: str) -> None:
    for language, text in blocks(page):
        for line in text.splitlines() if language == "sh" else []:
            words = shlex.split(line, comments=True)
            if words[:1] == ["epsrank"]:
                with click.Context(main) as context:
                    name, command, rest = main.resolve_command(context, words[1:])
                    assert command is not None
                    command.make_context(name, rest)


def test_images_and_links_exist() -> None:
    for page in PAGES:
        text = _BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_the_comparison_can_fail() -> None:
    assert_same("rank 6, floor 1.90e-12", "rank 6, floor 1.91e-12")
    for wrong in ("rank 7, floor 1.90e-12", "rank 6, floor 3e-12", "ranks 6, floor 1.9e-12"):
        with pytest.raises(AssertionError):
            assert_same("rank 6, floor 1.9e-12", wrong)
