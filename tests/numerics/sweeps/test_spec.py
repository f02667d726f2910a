"""SPEC.toml: trials from grids and draws, and errors that name the line."""

from __future__ import annotations

import math

import pytest

from epsrank.numerics.sweeps import Sweep, Trial
from epsrank.numerics.sweeps.distributions import Distribution
from epsrank.numerics.sweeps.toml_lines import line_of
from epsrank.theory.errors import InputError

SPEC = """\
# a sweep
seeds = 2

[fixed]
task = "cosines"
steps = 20
depth = 1

[grid]
width = [5, 8]
activation = [
  "tanh",
  "relu",
]

[random]
samples = 2
learning_rate = { loguniform = [1e-4, 1e-1] }

[[exclude]]
width = 5
activation = "relu"
"""


def test_the_trials_of_a_specification():
    sweep = Sweep.parse(SPEC)
    trials = sweep.trials()
    assert trials == Sweep.parse(SPEC).trials()
    assert len(trials) == len(set(trials)) == (2 * 2 - 1) * 2 * 2
    assert sweep.varied == ("width", "activation", "learning_rate")
    settings = [trial.settings for trial in trials]
    assert [entry["seed"] for entry in settings] == [0, 1] * 6
    combinations = {(entry["width"], entry["activation"]) for entry in settings}
    assert combinations == {(5, "tanh"), (8, "tanh"), (8, "relu")}
    assert len({entry["learning_rate"] for entry in settings}) == 2
    assert all(1e-4 <= entry["learning_rate"] <= 1e-1 for entry in settings)
    assert all(entry["steps"] == 20 for entry in settings)


def test_a_specification_may_be_as_short_as_that():
    (trial,) = Sweep.parse("seeds = [7]").trials()
    assert trial == Trial("train", {"seed": 7})
    defaults = Sweep.parse('kind = "train"').trials()  # of nothing at all it is refused
    assert [entry.settings for entry in defaults] == [{"seed": i} for i in range(5)]


def test_numbers_are_written_as_a_run_writes_them():
    (one,) = Sweep.parse("seeds = [0]\n[fixed]\nlearning_rate = 1\nwidth = 5").trials()
    (other,) = Sweep.parse("seeds = [0]\n[grid]\nwidth = [5, 5]\nlearning_rate = [1.0]").trials()
    assert one == other == Trial("train", {"seed": 0, "learning_rate": 1.0, "width": 5})
    (several,) = Sweep.parse("seeds = [0]\n[grid]\neps = [[1e-6, 1e-3]]").trials()
    assert several.settings["eps"] == [1e-6, 1e-3]


def test_draws_together_and_apart():
    text = "seeds = 1\n[random]\nsamples = 6\nseed = {}\nwidth = {{ integers = [2, 9] }}\n"
    alone = [trial.settings["width"] for trial in Sweep.parse(text.format(0)).trials()]
    both = Sweep.parse(text.format(0) + 'activation = { choice = ["tanh", "relu"] }').trials()
    assert set(alone) == {trial.settings["width"] for trial in both}
    assert len(both) <= 6
    assert alone != [trial.settings["width"] for trial in Sweep.parse(text.format(1)).trials()]


@pytest.mark.parametrize(
    ("given", "low", "high", "kind"),
    [
        ({"uniform": [-1, 2]}, -1, 2, float),
        ({"loguniform": [1e-3, 10]}, 1e-3, 10, float),
        ({"integers": [3, 5]}, 3, 5, int),
        ({"uniform": [2, 2]}, 2, 2, float),
    ],
)
def test_distributions_stay_within_their_ends(given, low, high, kind):
    values = Distribution.parse("a", given).draw(2000, 0)
    assert all(low <= value <= high and type(value) is kind for value in values)
    assert values[:10] == Distribution.parse("a", given).draw(10, 0)
    if low < high and kind is float:
        middle = math.sqrt(low * high) if "loguniform" in given else (low + high) / 2
        # Half of the draws on either side; 5 standard deviations of Bin(2000, ½) are 112.
        assert abs(sum(value < middle for value in values) - 1000) < 112
    if kind is int:
        assert set(values) == {3, 4, 5}


def test_draws_are_pinned():
    # The same on every machine and version, or stored trials would not be found again.
    assert Distribution.parse("learning_rate", {"loguniform": [1e-4, 1e-1]}).draw(2, 0) == [
        0.0103554516054,
        0.000441599719239,
    ]


def test_other_kinds_of_trials(kinds):
    text = 'kind = "square"\nseeds = [3]\n[grid]\nx = [1, 2]\nlabel = ["a"]'
    assert Sweep.parse(text).trials() == [
        Trial("square", {"x": x, "label": "a", "seed": 3}) for x in (1, 2)
    ]


WRONG = [
    ("relu", "rleu", 13, "activation is 'rleu'; choose one of tanh, "),
    ("[5, 8]", "[5, 0]", 10, "width is 0; pass a whole number ≥ 1"),
    ("width = [5, 8]", "widht = [5, 8]", 10, "widht is not a setting of a run; write width"),
    ("width = [5, 8]", "width = 5", 10, "width is 5; write a list, width = [5]"),
    ("width = [5, 8]", "width = []", 10, "width is []; write a list"),
    ("depth = 1", "depth = [1]", 7, "depth is [1]; pass a whole number ≥ 1"),
    ("depth = 1", "depth 1", 7, "is not TOML (Expected '='"),
    ("depth = 1", "width = 3", 10, "width is also in [fixed]; name it once"),
    ("depth = 1", "seed = 1", 7, "seed is set apart; write seeds = "),
    ("depth = 1", "slope = 3", 7, "slope is 3.0; take init 'structured' with it"),
    ("steps = 20", "steps = 2020-01-01", 6, "steps is datetime.date(2020, 1, 1)"),
    ('task = "cosines"', 'task = "cosine"', 5, "task is 'cosine'; choose one of cosines"),
    ("seeds = 2", "targets = 0.1", 2, "targets is 0.1; write different positive losses"),
    ("seeds = 2", "targets = [0.1, 0.1]", 2, "targets is [0.1, 0.1]; write different"),
    ("seeds = 2", "targets = [-1]", 2, "targets is [-1]; write different"),
    ("seeds = 2", "seeds = true", 2, "seeds is True; write how many"),
    ("seeds = 2", "seeds = 0", 2, "seeds is 0; write how many"),
    ("seeds = 2", "seeds = [1, 1]", 2, "seeds is [1, 1]; name each seed once"),
    ("seeds = 2", "seeds = [1, -1]", 2, "seeds is [1, -1]; write how many"),
    ("seeds = 2", "sedes = 2", 2, "sedes is not an entry of a sweep; write seeds"),
    ("seeds = 2", 'kind = "traim"', 2, "kind is 'traim'; choose one of "),
    ("seeds = 2", "fixed = 2", 2, "is not TOML"),
    ("samples = 2", "samples = 0", 17, "samples is 0; write a whole number ≥ 1"),
    ("samples = 2", "seed = -1", 17, "seed is -1; write a whole number ≥ 0"),
    ("{ loguniform = [1e-4, 1e-1] }", "3", 18, "learning_rate is 3, no distribution; write {"),
    ("loguniform", "lognormal", 18, "learning_rate has the distribution 'lognormal'; choose one"),
    ("1e-4,", "0,", 18, "learning_rate is loguniform on [0, 0.1]; give [a, b] with 0 < a ≤ b"),
    ("1e-4,", "", 18, "learning_rate is loguniform on [0.1]; give two numbers [a, b]"),
    ("1e-4,", "nan,", 18, "learning_rate is loguniform on [nan, 0.1]; give two numbers"),
    ("loguniform = [1e-4, 1e-1]", "uniform = [-2, -1]", 18, "learning_rate is -"),
    ("loguniform = [1e-4, 1e-1]", "choice = []", 18, "learning_rate has no values"),
    ("learning_rate = { loguniform = [1e-4, 1e-1] }", "", 16, "random draws nothing; name a"),
    ("width = 5\n", "net = 5\n", 21, "net is not a setting of this sweep; use "),
    ('width = 5\nactivation = "relu"\n', "", 20, "exclude names no setting; name some"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "told"), WRONG)
def test_an_error_names_the_line(right, wrong, line, told):
    assert right in SPEC
    with pytest.raises(InputError) as refused:
        Sweep.parse(SPEC.replace(right, wrong, 1))
    message = str(refused.value)
    if "fixed = 2" in wrong:  # where a table is opened twice is the parser's to say
        assert message.startswith("SPEC.toml, line ")
    else:
        assert message.startswith(f"SPEC.toml, line {line}: {told}"), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[grid]\nwidth = [5]\n[[exclude]]\nwidth = [5, 6]", "leaves no trial; exclude less"),
        ("[random]\nsamples = 1000000\nwidth = { integers = [1, 9] }", "makes 5000000 trials"),
        ("seeds = 1000000", "makes 100001 trials"),
        ("", "SPEC.toml is empty, and would train by the defaults; write [fixed], [grid] or seeds"),
        ("# soon\n", "SPEC.toml is empty"),
        ("grid = 3", "line 1: grid is 3; write a table, [grid]"),
        ("exclude = 3", "line 1: exclude is 3; write tables, [[exclude]]"),
        ("grid.widht = [1]", "line 1: widht is not a setting"),
        ("fixed = { widht = 1 }", "line 1: widht is not a setting"),
    ],
)
def test_other_errors(text, told):
    with pytest.raises(InputError) as refused:
        Sweep.parse(text)
    assert told in str(refused.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"^SPEC .*no.toml cannot be read \(No such file"):
        Sweep.from_toml(tmp_path / "no.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not UTF-8 text; fix the file"):
        Sweep.from_toml(tmp_path / "binary.toml")
    (tmp_path / "good.toml").write_text(SPEC)
    assert Sweep.from_toml(tmp_path / "good.toml").trials() == Sweep.parse(SPEC).trials()


def test_lines_of_entries():
    text = (
        '"a" = 1\n[t]\na = 2\n"b.c" = 3\n[[u]]\na = 4\n[[u]] # again\n  a = 5\nb = [\n 1.5,\n 15]\n'
    )
    assert line_of(text, "", "a") == 1
    assert line_of(text, "t") == 2
    assert line_of(text, "t", "a") == 3
    assert line_of(text, "u", "a") == 6
    assert line_of(text, "u", "a", occurrence=1) == 8
    assert line_of(text, "u", "b", 15, occurrence=1) == 11
    assert line_of(text, "u", "b", 99, occurrence=1) == 9
    assert line_of(text, "t", "z") is None
    assert line_of(text, "v", "a") is None
