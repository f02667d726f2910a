"""Numbers as they are written: every reader of text refuses digits that float64 does not have."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.loading import load_array
from epsrank.numerics.results.tables import read_any
from epsrank.numerics.sweeps.spec_reader import SpecReader
from epsrank.numerics.tasks.read import Columns, _read_table
from epsrank.numerics.training import RunConfig
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.written import beyond_float64

LOST = {
    "1e400": "inf",
    "-1e309": "-inf",
    "1.7976931348623159e308": "inf",
    "9" * 310: "inf",
    "1e-400": "0",
    "-2e-324": "0",
    "0." + "0" * 330 + "1": "0",
}
KEPT = ["1.7976931348623157e308", "5e-324", "1e-320", "0e999", "-0.0", "0.1", "1" + "0" * 200]


@pytest.mark.parametrize(("word", "becomes"), LOST.items())
def test_digits_beyond_float64_are_told(word, becomes):
    assert beyond_float64(word) == becomes


@pytest.mark.parametrize("word", [*KEPT, "inf", "-Infinity", "nan", "", "e999", "1e999x"])
def test_whatever_else_is_written_is_read(word):
    assert beyond_float64(word) is None


READERS = {
    "features": ("a.csv", "1,2\n{}, 3\n", load_array, "in row 2"),
    "names above": ("a.csv", "a,b\n1,2\n3,{}\n", load_array, "in row 2"),
    "blanks": ("a.csv", '1 2\n3 "{}"\n', load_array, "in row 2"),
    "losses": ("a.csv", "step;loss\n1;2\n2;{}\n", read_any, "in row 3"),
    "lines": ("a.jsonl", '{{"step": 1, "loss": {}}}\n', read_any, "a.jsonl, line 1, has"),
    "samples": ("a.csv", "x,y\n1,0\n{},1\n", lambda file: _read_table(file, Columns(("y",), ())),
                "in row 2"),
    "settings": ("a.toml", "learning_rate = {}\n", RunConfig.from_toml, "config has"),
    "sweeps": ("a.toml", "[fixed]\nlearning_rate = {}\n",
               lambda file: SpecReader(file.read_text(), "a.toml"), "a.toml has"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "read", "where"), READERS.values(), ids=READERS)
@pytest.mark.parametrize("word", ["1e400", "1e-400"])
def test_every_reader_refuses_them(name, text, read, where, word, tmp_path):
    file = tmp_path / name
    file.write_text(text.format(word))
    with pytest.raises(InputError) as refused:
        read(file)
    line = str(refused.value)
    assert f"has {word}" in line
    assert where in line
    becomes = LOST[word]
    assert f"which float64 takes for {becomes}; rescale it, or write {becomes} where" in line
    file.write_text(text.format("1e-320"))
    read(file)


def test_words_that_look_like_numbers_are_words(tmp_path):
    """Names of commits, 7e4567 among them."""
    file = tmp_path / "a.csv"
    file.write_text("step,loss,commit\n1,2,7e4567\n2,1,abcdef\n")
    assert read_any(file).columns["commit"] == [float("inf"), "abcdef"]
    assert _read_table(file, Columns(("loss",), ("step",))).x.shape == (2, 1)


def test_long_digits_are_shortened(tmp_path):
    (tmp_path / "a.csv").write_text("9" * 5000 + "\n")
    with pytest.raises(InputError, match=r"has 999999999999…999999 \(5000 digits\) in row 1"):
        load_array(tmp_path / "a.csv")


def test_numbers_of_the_command_line(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(3))
    for words in (["rank", str(tmp_path / "x.npy"), "--eps", "1e-400"],
                  ["predict", "--domain", "-1", "1e-400"], ["train", "--lr", "1e400"]):  # fmt: skip
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 2
        assert f"{words[-1]} is beyond float64, which takes it for" in done.stderr
