"""The benchmark of ensembles: both sides do the same work, and it shows where they do not."""

from __future__ import annotations

import json

import torch

from epsrank.benchmarks import ensemble, run_benchmarks
from epsrank.benchmarks.settings import BenchmarkSettings

QUICK = BenchmarkSettings(effort="quick")


def test_ensemble() -> None:
    before = torch.get_num_threads()
    (result,) = run_benchmarks(["ensemble"], QUICK)
    assert torch.get_num_threads() == before
    updates, whole = result.tables
    assert (updates.name, whole.name) == ("updates", "runs")
    assert [(row["networks"], row["dtype"]) for row in updates.rows] == [
        (1, "float32"),
        (2, "float32"),
        (1, "float64"),
        (2, "float64"),
    ]
    for row in updates.rows:
        assert row["difference"] <= (1e-3 if row["dtype"] == "float32" else 1e-9)
        assert row["ratio"]["value"] > 0
        assert set(row["updates_per_second"]) == {"loop", "batched", "threaded"}
    assert whole.rows[0]["measurements"] == 2
    assert json.dumps(result.to_json(), allow_nan=False)
    assert "throughput" in result.markdown()


def test_another_training_would_show(monkeypatch) -> None:
    right = ensemble.SingleLoop

    def other(configs, tasks, device):
        return right(configs[::-1], tasks[::-1], device)

    monkeypatch.setattr(ensemble, "SingleLoop", other)
    rows = [row for row in ensemble.updates(QUICK).rows if row["networks"] == 2]
    assert all(row["difference"] > 1e-2 for row in rows)
