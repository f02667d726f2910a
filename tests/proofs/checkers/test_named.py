"""Claims of users, checked by their own packages: refuted, supported, and errors in one line."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.proofs import runner
from epsrank.proofs.checkers.base import EXAMPLES
from epsrank.proofs.runner import verify
from epsrank.theory.errors import InputError

LEDGER = """
[[claim]]
id = "relu-keeps-rank"
statement = "relu(Φ) has at least the ε-rank of Φ."
source = "a guess"
verdict = "refuted"

[[claim]]
id = "copies-keep-rank"
statement = "(Φ, Φ) has at least the ε-rank of Φ."
source = "M3"
wanted = ["property"]
verdict = "supported"

[[claim]]
id = "nobody-looks"
statement = "Nothing."
source = "me"
"""

PACKAGE = """
import numpy as np
from epsrank import epsilon_rank
from epsrank.testing import Evidence, assert_rank, checks, integer_features, states


@states("relu-keeps-rank", features=integer_features(3, 2))
def relu_keeps_the_rank(features):
    '''relu(Φ) has at least the ε-rank of Φ.'''
    assert_rank(np.maximum(features, 0), 0.5, at_least=epsilon_rank(features, 0.5))


@states("copies-keep-rank", features=integer_features(3, 2))
def copies_keep_the_rank(features):
    '''(Φ, Φ) has at least the ε-rank of Φ.'''
    assert_rank(np.hstack([features, features]), 0.5, at_least=epsilon_rank(features, 0.5))


@states(features=integer_features(2, 2))
def tested_by_pytest_alone(features):
    '''Nothing that a ledger claims.'''


@checks("copies-keep-rank", kind="exact")
def by_hand(context):
    return Evidence("copies-keep-rank", "exact", "passed", "twice", {"seed": context.seed})
"""

COPIES = 'states("copies-keep-rank",'


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Write a ledger and a package into the current folder; few cases find what is planted."""
    monkeypatch.setitem(EXAMPLES, "quick", 12)
    monkeypatch.chdir(tmp_path)

    def write(package=PACKAGE, ledger=LEDGER):
        (tmp_path / "mine.toml").write_text(ledger)
        folder = tmp_path / "my_package"
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("from my_package import rank\n")
        (folder / "rank.py").write_text(package)

    write()
    yield write
    for name in ("my_package", "my_package.rank"):
        sys.modules.pop(name, None)


def command(*words):
    given = ["verify", "--quick", "--jobs", "1", "--ledger", "mine.toml", *words]
    return CliRunner().invoke(main, given)


def test_a_false_claim_is_refuted_and_shrunk_and_a_true_one_supported(mine, tmp_path):
    done = command("--checkers", "my_package", "--out", "report")
    assert (done.exit_code, done.stdout.splitlines()) == (0, [
        "3 claims: 1 refuted, 1 supported, 1 open",
        "no check bears on Nothing [nobody-looks]",
        "every verdict is as recorded",
        "report: report/index.html",
    ])  # fmt: skip
    ledger = json.loads((tmp_path / "report" / "ledger.json").read_text())
    refuted, supported, _ = ledger["claims"]
    assert refuted["statement"] == "relu(Φ) has at least the ε-rank of Φ."
    witness = refuted["evidence"][0]["witness"]
    assert witness["case"]["features"]["values"] == [[-1.0]]
    assert "ε-rank ≥ 1 is false: ε-rank 0 of 1 at ε = 0.5" in witness["violation"]
    # The exact check is reported, but the claim asks for a search.
    assert [item["kind"] for item in supported["evidence"]] == ["property", "exact"]
    assert (ledger["environment"]["ledger"], ledger["environment"]["checkers"]) == (
        "mine.toml", "my_package",
    )  # fmt: skip
    page = (tmp_path / "report" / "index.html").read_text()
    assert "a guess" in page
    assert "values: [-1]" in page


def test_another_verdict_than_on_record_exits_with_1(mine):
    mine(ledger=LEDGER.replace('"refuted"', '"supported"'))
    done = command("--checkers", "my_package", "--claim", "relu-keeps-rank", "--out", "report")
    assert done.exit_code == 1
    assert "is “refuted”, on record is “supported”" in done.stdout


def test_findings_are_kept_until_the_package_changes(mine, monkeypatch):
    def found():
        return verify(effort="quick", jobs=1, out="report", ledger="mine.toml",
                      checkers="my_package")  # fmt: skip

    assert found().environment["kept"] == []
    assert len(found().environment["kept"]) == 3
    mine(PACKAGE.replace("np.maximum(features, 0)", "features"))
    changed = found()
    assert changed.environment["kept"] == []
    assert changed.results[0].verdict == "supported"
    assert changed.exit_code == 1


@pytest.mark.parametrize(
    ("package", "cause"),
    [
        (PACKAGE.replace("    assert_rank(np.maximum", "    1 / 0\n    assert_rank(np.maximum"),
         "relu-keeps-the-rank failed (ZeroDivisionError: division by zero at rank.py:10); mend it"),
        (PACKAGE.replace('"exact", "passed"', '"property", "passed"'),
         "by-hand returned property evidence on"),
        (PACKAGE.replace("return Evidence", "Evidence"), "by-hand returned a NoneType"),
        (PACKAGE.replace('"passed"', '"pass"'), "by-hand says 'pass'; choose from passed"),
        (PACKAGE.replace("    assert_rank(np.maximum", "    return assert_rank(np.maximum").replace(
            "at_least=epsilon_rank(features, 0.5))", "at_least=0)"),
         "relu-keeps-the-rank failed (TypeError: relu-keeps-the-rank returns RankInterval("),
        (PACKAGE.replace("integer_features(3, 2)", "integer_features(3, -2)"),
         "relu-keeps-the-rank failed (InvalidArgument: "),
    ],
)  # fmt: skip
def test_a_check_that_fails_to_run_is_a_regression_that_says_where(package, cause, mine):
    mine(package)
    done = command("--checkers", "my_package", "--out", "report")
    assert done.exit_code == 1
    assert cause in done.stdout


@pytest.mark.parametrize(
    ("words", "package", "problem"),
    [
        ((), PACKAGE, "checkers is missing beside a ledger"),
        (("--checkers", "nowhere"), PACKAGE, "nowhere cannot be imported"),
        (("--checkers", "my-package"), PACKAGE, "'my-package'; write it as package.module"),
        (("--checkers", "my_package/rank.py"), PACKAGE, "write it as package.module"),
        (("--checkers", "my_package"), "import sys\nsys.exit(3)", "SystemExit: 3 at rank.py:2"),
        (("--checkers", "my_package"), "def f(:", "SyntaxError"),
        (("--checkers", "my_package"), "", "my_package, which states nothing about a claim"),
        (("--checkers", "json"), PACKAGE, "json, which states nothing about a claim"),
        (("--checkers", "my_package"), PACKAGE.replace(COPIES, 'states("copy-keep-rank",'),
         "on 'copy-keep-rank', which is not in the ledger; did you mean copies-keep-rank"),
        (("--checkers", "my_package"), PACKAGE.replace(COPIES, COPIES + ' part="a",'),
         "on part 'a' of 'copies-keep-rank'; that claim has no parts"),
        (("--checkers", "my_package"), PACKAGE.replace('kind="exact"', 'kind="formal"'),
         "kind is 'formal'"),
        (("--checkers", "my_package"),
         PACKAGE + PACKAGE[PACKAGE.index("@checks"):], "checks has two functions called by-hand"),
        (("--checkers", "my_package"),
         PACKAGE + PACKAGE[PACKAGE.index("@states(features"):], "two properties are called tested"),
        (("--checkers", "my_package", "--claim", "tail"), PACKAGE, "'tail' is not in the ledger"),
    ],
)  # fmt: skip
def test_bad_use_is_one_line_and_exits_with_2(words, package, problem, mine, tmp_path):
    mine(package)
    done = command(*words, "--out", "report")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert problem in done.stderr
    assert not (tmp_path / "report").exists()


def test_what_the_arithmetic_leaves_open_is_undecided_and_says_what(mine):
    bound = "at_least=replace(epsilon_rank(features, 0.5), lower=0, upper=9)"
    mine("from dataclasses import replace\n" + PACKAGE.replace(
        "at_least=epsilon_rank(features, 0.5)", bound))  # fmt: skip
    report = verify(["relu-keeps-rank"], "quick", jobs=1, ledger="mine.toml", checkers="my_package")
    (found,) = report.results
    assert found.verdict == "undecided"
    assert "decided none of the comparisons, such as: ε-rank ≥ [0, 9] is und" in (
        found.evidence[0].cause
    )


def test_checkers_without_a_ledger_are_refused(mine):
    done = CliRunner().invoke(main, ["verify", "--checkers", "my_package"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    with pytest.raises(InputError, match="ledger is missing"):
        verify(checkers="my_package")


def test_a_source_that_changes_meanwhile_is_an_error(mine, monkeypatch):
    honest = runner._Session.run

    def late(self, checkers):
        mine(PACKAGE + "\n")
        honest(self, checkers)

    monkeypatch.setattr(runner._Session, "run", late)
    report = verify(effort="quick", jobs=1, ledger="mine.toml", checkers="my_package")
    assert report.exit_code == 1
    assert "which has changed meanwhile" in report.results[0].errors[0].cause
