"""What the bare installation can do, what the extras add, and how much an import brings along."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import epsrank
from epsrank.theory.errors import InputError
from epsrank.theory.extras import PACKAGES, named, optional_package, optional_packages

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "data" / "modules-per-extra.json"
EXTRAS = ("lab", "plots", "report", "metrics")

# In a process of its own the packages of some extras cannot be imported.
_MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

blocker = Missing()
blocker.packages = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, blocker)
"""


def packages(*extras: str) -> list[str]:
    return [package for package, (_, extra) in PACKAGES.items() if extra in extras]


def run(code: str, *words: str | Path, folder: Path, extras: tuple[str, ...] = EXTRAS):
    """Run code in a folder, without what these extras bring, on this tree."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-c", _MISSING + code, ",".join(packages(*extras)), *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )


# One process for all command lines: each would import torch again.
_COMMANDS = """
from click.testing import CliRunner
from epsrank.cli import main

for words in json.loads(sys.argv[1]):
    done = CliRunner().invoke(main, words)
    print(json.dumps([words, done.exit_code, done.stdout, done.stderr]), file=sys.__stdout__)
"""


def answers(code: str, commands: list[str], *words: str, folder: Path):
    """Run code, then command lines; yield exit code, stdout and stderr of each."""
    lines = json.dumps([command.split() for command in commands])
    done = run(f"import json\n{code}{_COMMANDS}", lines, *words, folder=folder)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [" ".join(words) for words, *_ in found] == commands
    return found


def test_the_table_of_packages_is_that_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {requirement.partition(">")[0] for requirement in extras["dependencies"]}
    for extra in EXTRAS:
        listed = {r.partition(">")[0] for r in extras["optional-dependencies"][extra]}
        assert listed == {PACKAGES[package][0] for package in packages(extra)}
        assert not listed & needed
    # Results are of the laboratory, so that their data frames ask for it too.
    frames = extras["optional-dependencies"]["frames"]
    assert {r.partition(">")[0] for r in frames} == {*packages("frames"), "epsrank[lab]"}
    page = (ROOT / "docs" / "installing.md").read_text("utf-8")
    assert all(f"| `{extra}` |" in page for extra in (*EXTRAS, "frames", "all"))
    assert extras["optional-dependencies"]["all"] == [f"epsrank[{','.join(EXTRAS)}]"]
    assert {extra for _, extra in PACKAGES.values()} <= set(extras["optional-dependencies"])


_USE = """
from pathlib import Path
import json
import numpy as np
import torch
import epsrank.strategies
import epsrank.testing
from epsrank import (
    RankMonitor, dense_network, detect_staircase, epsilon_rank, loss_floor, structured_first_layer_,
)
from epsrank.sinks import CsvSink, HistoryFile, JsonLinesSink, LiveTerminal, read_history

generator = np.random.default_rng(0)
features = generator.normal(size=(40, 5))
assert int(epsilon_rank(features, 1e-6)) == 5
assert loss_floor(features, features[:, 0], eps=1e-6, norm=1.0).reachable >= 0
noise = generator.normal(size=100)
assert detect_staircase(np.where(np.arange(100) < 60, 5.0, 0.0) + noise, scale="linear").steps

torch.manual_seed(0)
first = torch.nn.Linear(2, 8)
structured_first_layer_(first, domain=[[-1, 1], [-1, 1]], activation="tanh")
model = torch.nn.Sequential(first, torch.nn.Tanh(), torch.nn.Linear(8, 1))
assert dense_network(model).activation == "tanh"
sinks = [CsvSink("grown.csv"), JsonLinesSink("grown.jsonl")]
probe, targets = torch.randn(60, 2), torch.randn(60, 1)
with RankMonitor(
    model, probe=probe, targets=targets, loss="mse", every=1, sinks=sinks, warn=False
) as monitor:
    for step in range(3):
        assert monitor.step(loss=0.5 - 0.1 * step)
history = monitor.history
history.to_csv("whole.csv")
history.to_json("whole.json")
for name in ("grown.csv", "grown.jsonl", "whole.csv", "whole.json"):
    assert [repr(record) for record in read_history(name)] == [repr(r) for r in history], name
    follow = HistoryFile(name)
    assert follow.refresh() and len(follow.history) == len(history)
np.save("features.npy", features)
np.save("target.npy", features[:, 0])
assert not blocker.packages & set(sys.modules)
"""


def test_the_bare_installation_suffices_for_ranks_floors_staircases_and_monitors(tmp_path: Path):
    commands = [
        "--help",
        "train --help",
        "rank features.npy --eps 1e-6",
        "floor features.npy --target target.npy --norm 1",
        "watch grown.csv --once",
        "watch whole.json --once",
    ]
    for words, code, out, err in answers(_USE, commands, folder=tmp_path):
        assert (code, err) == (0, ""), words
        assert out, words


_LACKS = """
import torch
import epsrank
from epsrank import InputError, RankMonitor
from epsrank.sinks import HistoryFile, ParquetSink
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.tasks.images import digits

model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
monitor = RankMonitor(model, probe=torch.randn(60, 2), every=1)
monitor.step(0.5)
open("a.parquet", "wb").write(b"PAR1")
for extra, feature in {
    "pyarrow lab 1": lambda: monitor.history.table(),
    "pyarrow lab 2": lambda: monitor.history.to_parquet("b.parquet"),
    "pyarrow lab 3": lambda: History.read("a.parquet"),
    "pyarrow lab 4": lambda: HistoryFile("a.parquet").refresh(),
    "pyarrow lab 5": lambda: ParquetSink("b.parquet"),
    "matplotlib plots 1": lambda: monitor.plot(),
    "matplotlib plots 2": lambda: epsrank.draw_staircase,
    "scikit-learn lab 1": lambda: digits(0),
    "tomli-w lab 1": lambda: epsrank.verify(["coupling-together"]),
    "jinja2 report 1": lambda: epsrank.verify(["rank-trace"], "quick", out="report"),
    "torchmetrics metrics 1": lambda: __import__("epsrank.metrics").metrics.RankMe,
    **{f"{name} lab 1": lambda name=name: getattr(epsrank, name) for name in sys.argv[2:]},
}.items():
    package, extra, _ = extra.split()
    try:
        feature()
    except InputError as error:
        assert f"pip install 'epsrank[{extra}]'" in str(error), error
        assert package in str(error) or package in sys.argv[2:], error
        assert chr(10) not in str(error)
    else:
        raise AssertionError(package)
# Claims of the user's need no extra, without a report.
assert epsrank.verify(ledger="mine.toml", checkers="mine", jobs=1).results[0].verdict == "supported"
missing = {name for name in epsrank.__all__ if not available(name)}
assert missing == {"draw_staircase", "draw_training_stages", *sys.argv[2:]}, missing
"""

_AVAILABLE = """
def available(name):
    import epsrank
    try:
        getattr(epsrank, name)
    except epsrank.InputError:
        return False
    return True
"""

#: Public names that need the laboratory.
OF_THE_LAB = [
    "Comparison", "Run", "RunConfig", "RunRecorder", "Stages", "SweepResults", "Tightness", "Trial",
    "TrialStore", "compare_results", "group_configs", "import_runs",
    "load_pruned", "load_results", "load_run", "prune", "run_trials", "tightness", "train",
    "train_in_groups", "train_many", "training_stages",
]  # fmt: skip


def test_what_needs_an_extra_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "SPEC.toml").write_text('[fixed]\ntask = "cosines"\n')
    (tmp_path / "run").mkdir()
    commands = [
        "train cosines",
        "sweep SPEC.toml",
        "reproduce list",
        "verify",
        "bench ensemble --quick",
        "rank run",
        "rank a.parquet",
        "watch run --once",
        "watch a.parquet --once",
        "plot run",
        "plot theory",
        "compare run run",
        "import a.parquet --out imported",
        "tightness run",
    ]
    (tmp_path / "mine.toml").write_text('[[claim]]\nid = "a"\nstatement = "b"\nsource = "c"\n')
    (tmp_path / "mine.py").write_text(
        "from hypothesis import strategies as st\n"
        "from epsrank.testing import states\n"
        "@states('a', number=st.booleans())\n"
        "def mine(number):\n    assert number in (0, 1)\n"
    )
    for words, code, out, err in answers(
        _AVAILABLE + _LACKS, commands, *OF_THE_LAB, folder=tmp_path
    ):
        assert (code, out) == (2, ""), (words, err)
        assert err.startswith("epsrank: error: "), words
        assert "cannot be imported" in err
        assert "pip install 'epsrank[" in err
        assert err.count("\n") == 1


def test_other_faults_of_imports_stay_tracebacks() -> None:
    assert named(ModuleNotFoundError("No module named 'nonsense'", name="nonsense")) is None
    assert named(ImportError("cannot import name", name="epsrank.theory")) is None
    with pytest.raises(ModuleNotFoundError), optional_packages():
        import nonsense  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        optional_package("nonsense")
    with pytest.raises(InputError, match=r"scikit-learn cannot be imported .*; pip install"):
        optional_package("nonsense", "sklearn")


# Every module is imported without each extra: a child per extra saves importing torch thrice.
_PROBE = """
import importlib, json, os
import epsrank, flint, hypothesis, numpy, ruptures, scipy, sympy, torch

root = os.path.dirname(epsrank.__file__)
modules = []
for folder, _, files in os.walk(root, followlinks=True):
    place = os.path.relpath(folder, os.path.dirname(root)).split(os.sep)
    modules += [
        ".".join([*place, file[:-3]]).removesuffix(".__init__")
        for file in files if file.endswith(".py") and file != "__main__.py"
    ]
extras = json.loads(sys.argv[1])
for extra, blocked in extras.items():
    if (child := os.fork()) == 0:
        blocker.packages = set(blocked)
        failed = []
        for name in sorted(modules):
            before = set(sys.modules)
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                assert error.name.partition(".")[0] in blocked, (name, error)
                failed.append(name)
                # What it had loaded before it failed would be found without its packages.
                for loaded in set(sys.modules) - before:
                    if loaded.startswith("epsrank."):
                        del sys.modules[loaded]
        with open(f"{extra}.json", "w") as file:
            json.dump(failed, file)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def within(module: str, entries: list[str]) -> bool:
    return any(f"{module}.".startswith(f"{entry}.") for entry in entries)


def loaded(code: str) -> set[str]:
    """Return the modules that a fresh process has after some code."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(sorted(sys.modules))"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        check=True,
    )
    return set(ast.literal_eval(done.stdout))


@pytest.mark.parametrize(
    ("code", "absent", "most"),
    [
        ("import epsrank", {"numpy", "scipy"}, 4),
        ("from epsrank.theory.errors import InputError", {"numpy", "scipy"}, 6),
        ("from epsrank import InputError", {"numpy", "scipy"}, 8),
        ("from epsrank import epsilon_rank", {"torch", "sympy", "matplotlib", "scipy.stats"}, 70),
        (
            "from epsrank import RankMonitor",
            {
                *("sympy", "scipy.stats", "scipy.special", "scipy.optimize", "matplotlib"),
                *("pyarrow", "pandas", "sklearn", "joblib", "rich", "hypothesis"),
                "epsrank.numerics.plots",
            },
            130,
        ),
    ],
)
def test_imports_bring_only_what_they_need(code: str, absent: set[str], most: int) -> None:
    modules = loaded(code)
    assert modules & absent == set()
    own = [name for name in modules if name.partition(".")[0] == "epsrank"]
    assert 0 < len(own) <= most


def test_the_count_of_modules_can_fail() -> None:
    assert {"numpy", "epsrank.theory.numbers.arrays"} <= loaded(
        "import epsrank.theory.numbers.arrays"
    )


def test_the_version_is_one_everywhere() -> None:
    root = Path(__file__).parents[2]
    said = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    citation = (root / "CITATION.cff").read_text("utf-8")
    cited = re.search(r"^version: (\S+)$", citation, re.MULTILINE)
    day = re.search(r"^date-released: (\d{4}-\d\d-\d\d)$", citation, re.MULTILINE)
    log = (root / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(\S+)\] - (\S+)$", log, re.MULTILINE)
    assert epsrank.__version__ == said["version"] == cited[1] == newest[1]
    assert day[1] == newest[2]
    # Each version of Python that is said to be tried is allowed, and the oldest is one of them.
    tried = [c.rpartition(" ")[2] for c in said["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert tried[0] == said["requires-python"].removeprefix(">=")


def test_environments_name_the_version_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an editable install the metadata stay what they were when it was made."""
    from epsrank.numerics import environment

    monkeypatch.setattr(environment, "version", lambda package: "0.0.1")
    assert environment.package_version("epsrank") == epsrank.__version__
    assert environment.describe_environment("cpu")["packages"]["epsrank"] == epsrank.__version__
    assert environment.package_version("numpy") == "0.0.1"
