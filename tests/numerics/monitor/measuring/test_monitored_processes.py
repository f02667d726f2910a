"""RankMonitor in two gloo processes: the numbers of one process, and no process left waiting."""

from __future__ import annotations

from dataclasses import astuple

import pytest
import torch
import torch.distributed as dist

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.records.history import History
from tests.numerics.monitor.measuring import monitored_processes as both
from tests.processes import run_all

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="PyTorch was built without gloo"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("monitored")
    run_all(both.work, (0, place), (1, place))
    return place


def assert_equal_to_rounding(found: History, wanted: History) -> None:
    assert [(r.step, r.layer) for r in found] == [(r.step, r.layer) for r in wanted]
    for left, right in zip(found, wanted, strict=True):
        assert left.failure is None
        assert left.n_samples == right.n_samples
        assert [(e.lower, e.upper) for e in left.ranks] == [(e.lower, e.upper) for e in right.ranks]
        assert left.quantities.trace == pytest.approx(right.quantities.trace, rel=1e-12)
        assert left.quantities.rankme == pytest.approx(right.quantities.rankme, rel=1e-6)
        assert left.quantities.dormant == right.quantities.dormant
        if right.reading is not None:
            numbers = [value for value in astuple(right.reading) if isinstance(value, float)]
            mine = [value for value in astuple(left.reading) if isinstance(value, float)]
            assert mine == pytest.approx(numbers, rel=1e-6)


@pytest.mark.parametrize("kind", ["cross_entropy", "mse"])
def test_shards_of_a_probe_are_one_probe(folder, kind):
    single = both.probed(both.network(), *both.data(), kind, None)
    assert_equal_to_rounding(History.read(folder / f"{kind}0.json"), single)
    assert {record.n_samples for record in single} == {100}
    assert len(History.read(folder / f"{kind}1.json")) == 0


def test_training_batches_add_up(folder):
    single = both.watched(both.network(), *both.data(), None)
    assert_equal_to_rounding(History.read(folder / "watched0.json"), single)
    assert [record.n_samples for record in single.of_layer("1")] == [100, 200, 300]


def test_a_budget_is_agreed_on(folder):
    steps = [torch.load(folder / f"result{i}", weights_only=True)["budget"] for i in range(2)]
    assert steps[0] == steps[1]
    assert steps[0][0] == 1
    assert len(steps[0]) >= 2


def test_a_failure_of_one_process_is_a_record_and_no_deadlock(folder):
    results = [torch.load(folder / f"result{i}", weights_only=True) for i in range(2)]
    assert [result["broken"] for result in results][1] == []
    first, second, *rest = results[0]["broken"]
    assert "NaN" in first
    assert "NaN" in second
    assert rest == ["None", "None"]
    assert all("out of memory" in failure for failure in results[0]["raising"])
    assert len(results[0]["raising"]) == 2


def test_parts_of_a_probe_are_the_same_share_in_every_process(folder):
    found = History.read(folder / "parted0.json")
    assert len(History.read(folder / "parted1.json")) == 0
    failed, *rest = found.of_layer("1")
    assert "ZeroDivisionError" in failed.failure
    # 64 samples at least, 32 for each process: more than a tenth of the smaller one's 300.
    least = 32 / 300
    assert [record.probe_part for record in rest] == [least, least, 0.5, 0.5, 1.0]
    assert [record.n_samples for record in rest] == [107, 107, 500, 500, 1000]
    for record, sizes in zip(rest[::2], ((75, 32), (350, 150), (700, 300)), strict=True):
        x, y = zip(*(drawn(process, size) for process, size in enumerate(sizes)), strict=True)
        with RankMonitor(
            both.network(), probe=torch.cat(x), targets=torch.cat(y), loss="cross_entropy", every=1
        ) as monitor:
            monitor.step()
        history = History()
        history.append([r for r in found if r.step == record.step])
        for left, right in zip(history, monitor.history, strict=True):
            assert left.n_samples == right.n_samples
            assert left.quantities.trace == pytest.approx(right.quantities.trace, rel=1e-12)
            assert str(left.rank()) == str(right.rank())
        assert history[-1].reading.loss == pytest.approx(monitor.history[-1].reading.loss, rel=1e-6)


def drawn(process, count):
    x, y = both.shard(process)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(process))[:count]
    return x[order], y[order]
