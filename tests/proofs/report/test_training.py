"""The page of a training run: whole, of one file, and true to the records."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from epsrank.numerics.training import RunConfig, train
from epsrank.proofs.report.training import stages_of, training_data, write_training


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = RunConfig(width=6, depth=2, steps=6, measure_every=2, n_train=20, device="cpu")
    return train(config, tmp_path_factory.mktemp("run") / "out")


def test_the_data_are_those_of_the_records(run):
    data = training_data(run)
    last = run.records[-1]
    assert data["steps"] == [record.step for record in run.records]
    assert data["series"]["loss"][-1] == pytest.approx(last.loss, rel=1e-4)
    rank = last.layers[-1].ranks[0]
    assert data["ranks"][-1][-1][0] == [rank.lower, rank.upper]
    assert len(data["spectra"][0]) == len(data["layers"]) == run.n_layers


def test_the_page_is_one_file(run):
    text = write_training(run.out).read_text("utf-8")
    held = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(held[1])["title"] == run.config.title
    assert not re.search(r"""(src|href)=["']?(http|//)""", text)
    assert len(text.encode()) < 4_000_000


def test_the_curve_goes_through_what_the_head_leaves(run):
    known = training_data(run)["curves"]["known"]
    assert [one["at"] for one in known] == list(range(len(run.records)))
    for one, record in zip(known, run.records, strict=True):
        assert one["loss"] == pytest.approx(record.loss, rel=1e-4)
        assert one["reading"] == record.reading
        values = [value for value in one["values"] if value is not None]
        assert values == sorted(values, reverse=True)
        # No head of this norm does better than V there.
        near = min(range(len(one["norms"])), key=lambda at: abs(one["norms"][at] - one["norm"]))
        assert one["values"][min(near + 1, len(values) - 1)] <= one["loss"]


def test_stages_are_those_of_the_detector(run):
    # Six steps are too few for the detector, which says so; a page never calls that a plateau.
    assert training_data(run)["stages"]["parts"] == []
    assert "4 measurements are too few" in training_data(run)["stages"]["says"]
    losses = [8.0] * 20 + [1.0] * 20 + [0.1] * 20
    noise = np.random.default_rng(0).normal(size=60) * 0.01
    made = [SimpleNamespace(step=10 * at, loss=loss * np.exp(noise[at]))
            for at, loss in enumerate(losses)]  # fmt: skip
    parts = stages_of(SimpleNamespace(records=made))["parts"]
    assert [part["kind"] for part in parts] == ["plateau", "drop", "plateau", "drop", "plateau"]
    assert [part["number"] for part in parts] == [1, 1, 2, 2, 3]
    assert parts[1]["from"] == 190
    assert parts[1]["to"] == 200
