"""The page of a training run: whole, of one file, and true to the records."""

from __future__ import annotations

import json
import re

import pytest

from epsrank.numerics.training import RunConfig, train
from epsrank.proofs.report.training import training_data, write_training


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
