"""Parts of a probe: small at first, nested, stated in every record, and never compared."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from matplotlib.text import Text
from torch import nn

from epsrank import epsilon_rank
from epsrank.numerics.monitor import RankMonitor, RankWarning
from epsrank.numerics.monitor.alarms.signatures import SAMPLES
from epsrank.numerics.monitor.measuring import probe_parts
from epsrank.numerics.monitor.measuring.probe_parts import affordable, grown, least_part
from epsrank.numerics.monitor.measuring.probe_set import as_probe_set
from epsrank.numerics.monitor.measuring.schedule import OverheadBudget
from epsrank.numerics.monitor.model.passes import pass_size
from epsrank.numerics.monitor.terminal.view import view_of_history
from epsrank.theory.errors import InputError


def mlp():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(6, 20), nn.Tanh(), nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 2)
    )


def data(count=1000):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 6, generator=generator)
    return x, torch.randint(0, 2, (count,), generator=generator)


class Impatient(OverheadBudget):
    """A budget that pays for every measurement at once, but says that its share is small."""

    def step(self):
        super().step()
        return True

    def affords(self, seconds):
        return True


def dear(monkeypatch):
    """Let no more than the least part be affordable."""
    monkeypatch.setattr(probe_parts, "REPAID", 0.0)


def test_a_cheap_probe_is_whole_at_once():
    x, _ = data()
    with RankMonitor(mlp(), probe=x, overhead=1.0) as m:
        first = m.step(1.0)
    assert [record.n_samples for record in first] == [1000, 1000]
    assert [record.probe_part for record in first] == [1.0, 1.0]
    assert "of the probe" not in str(first[0])


def test_a_dear_probe_begins_with_the_rows_that_a_rank_needs(monkeypatch):
    dear(monkeypatch)
    x, y = data()
    model = mlp()
    with RankMonitor(model, probe=x, targets=y, loss="cross_entropy", seed=5) as m:
        record, last = m.step(1.0)
        whole = m.measure()[0]
    assert record.n_samples == SAMPLES * 20 == last.reading.n_samples
    assert record.probe_part == last.probe_part == 0.08
    assert (whole.n_samples, whole.probe_part) == (1000, 1.0)
    assert "80 samples from 0.08 of the probe" in str(record)
    chosen = torch.randperm(1000, generator=torch.Generator().manual_seed(5))[:80]
    with torch.no_grad():
        features = model[:2](x[chosen])
        wanted = epsilon_rank(features, 1e-6)
        loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen])
    assert (record.rank().lower, record.rank().upper) == (wanted.lower, wanted.upper)
    assert record.quantities.trace == pytest.approx(float(features.square().sum(1).mean()))
    # Targets go with their samples: a wrong pairing shows in the loss.
    assert last.reading.loss == pytest.approx(float(loss), rel=1e-5)
    assert m.history.metadata["probe_samples"] == 1000


@pytest.mark.parametrize("keywords", [{"every": 1}, {"probe_part": "whole"}])
def test_the_whole_probe_can_be_demanded(monkeypatch, keywords):
    dear(monkeypatch)
    x, _ = data()
    with RankMonitor(mlp(), probe=x, **keywords) as m:
        assert [record.n_samples for record in m.step(1.0)] == [1000, 1000]


def test_a_list_of_batches_is_whole(monkeypatch):
    dear(monkeypatch)
    x, _ = data()
    with RankMonitor(mlp(), probe=list(x.split(100))) as m:
        record = m.step(1.0)[0]
    assert (record.n_samples, record.probe_part) == (1000, 1.0)


def test_parts_are_constant_for_a_series_and_then_grow(monkeypatch):
    dear(monkeypatch)
    monkeypatch.setattr(probe_parts, "SERIES", 3)
    x, _ = data(2000)
    with RankMonitor(mlp(), probe=x, every=Impatient(0.01)) as m:
        for _ in range(8):
            m.step(1.0)
            if len(m.history.steps) == 2:
                m.measure()  # counts for nothing
    counts = [record.n_samples for record in m.history.of_layer("1")]
    assert counts == [80, 80, 2000, 80, 640, 640, 640, 2000, 2000]
    traces = [record.quantities.trace for record in m.history.of_layer("1")]
    assert traces[0] == traces[1] == traces[3]  # the same samples each time


def test_a_change_of_the_part_is_said(monkeypatch):
    dear(monkeypatch)
    monkeypatch.setattr(probe_parts, "SERIES", 2)
    x, _ = data()
    with RankMonitor(mlp(), probe=x, every=Impatient(0.01)) as m:
        m.step(1.0)
        assert "0.08 of the probe" in view_of_history(m.history, title="").state
        for _ in range(4):
            m.step(1.0)
        titles = [text.get_text() for text in m.plot().findobj(Text)]
    assert any("0.08 from step 1, 0.5 from step 3, 1 from step 5" in text for text in titles)
    with RankMonitor(mlp(), probe=x, every=1) as m:
        m.step(1.0)
        assert "probe" not in view_of_history(m.history, title="").state
        assert not any("probe" in text.get_text() for text in m.plot().findobj(Text))


def test_the_first_measurement_takes_what_it_can_afford(monkeypatch):
    x, _ = data(2000)
    # As if the least part, 80 samples, had taken 0.1 s of the 0.45 s allowed.
    clock = iter([0.0, 0.1])
    with RankMonitor(mlp(), probe=x, every=Impatient(0.045)) as m:
        parts = m._parts
        monkeypatch.setattr(probe_parts.time, "perf_counter", lambda: next(clock))
        sample = parts.due(1)
        monkeypatch.undo()
        assert sample.part == 4 * 80 / 2000
        assert m._measurer.sums["1"].n_samples == 320


def test_parts_are_chosen_by_rows_and_cost():
    assert least_part([(1, 512), (1, 256)], 2048) == 1.0
    assert least_part([(1024, 16), (1, 64)], 2048) == 256 / 2048
    assert least_part([(1024, 16)], 2048) == 64 / 2048  # not one image
    assert least_part([(1, 64)], 1024, processes=2) == 128 / 1024
    assert least_part([(0, 64)], 1024) == 1.0
    assert affordable(0.25, 0.1, 0.4) == 1.0
    assert affordable(0.25, 0.1, 0.39) == 0.5
    assert affordable(0.1, 0.1, 0.25) == 0.2
    assert affordable(0.3, 0.1, 0.3) == 0.3  # 0.6 is neither half nor all
    assert affordable(0.1, math.inf, 0.25) == 0.1
    assert (grown(0.125), grown(0.1), grown(0.01)) == (1.0, 0.5, 0.08)


def test_a_failed_first_measurement_begins_anew(monkeypatch):
    dear(monkeypatch)
    x, _ = data()
    model = mlp()
    with RankMonitor(model, probe=x, every=Impatient(0.01)) as m:
        handle = model[0].register_forward_hook(lambda *_: 1 / 0)
        with pytest.warns(RankWarning, match="ZeroDivisionError"):
            failed = m.step(1.0)
        handle.remove()
        assert m._parts.part is None
        record = m.step(1.0)[0]
    assert {(r.n_samples, r.probe_part) for r in failed} == {(0, None)}
    assert (record.n_samples, record.probe_part) == (80, 0.08)


def test_ordered_samples_are_shuffled_with_their_targets():
    x = torch.arange(100.0)[:, None].expand(100, 2)
    own = as_probe_set({"x": x, "scale": torch.tensor(2.0)}, torch.arange(100), 2048, 0)
    mixed = own.shuffled(1)
    assert torch.equal(mixed.inputs["x"][:, 0], mixed.targets.float())
    assert sorted(mixed.targets.tolist()) == list(range(100))
    assert len({int(value) // 25 for value in mixed.targets[:20]}) == 4
    assert torch.equal(mixed.slice(3, 9)["x"], mixed.inputs["x"][3:9])
    state = torch.random.get_rng_state()
    own.shuffled(2)
    assert torch.equal(state, torch.random.get_rng_state())


def test_ranks_of_different_parts_are_no_growth(monkeypatch):
    # A rank held down by the rows of a part rises when the part grows: a window that held both
    # would take that for progress, and miss the plateau.
    dear(monkeypatch)
    x, _ = data()
    monkeypatch.setattr(probe_parts, "SERIES", 30)
    with warnings.catch_warnings(), RankMonitor(mlp(), probe=x, every=Impatient(0.01)) as m:
        warnings.simplefilter("ignore", RankWarning)
        for _ in range(29):
            m.step(1.0)
        assert [s.name for s in m.warnings] == ["plateau"]
        for _ in range(40):
            m.step(1.0)
    # One episode goes on over the change; it is not told again.
    assert [s.name for s in m.warnings] == ["plateau"]


def test_passes_fit_the_caches():
    assert pass_size([(1024, 16)], on_cpu=True) == 64
    assert pass_size([(64, 128), (1, 10)], on_cpu=True) == 128
    assert pass_size([(1, 512)], on_cpu=True) == 1024
    assert pass_size([(50_000, 64)], on_cpu=True) == 16
    assert pass_size([(1024, 16)], on_cpu=False) == 1024
    assert pass_size([], on_cpu=True) == 1024


def test_unknown_choices_are_refused():
    x, _ = data(10)
    with pytest.raises(InputError, match="probe_part"):
        RankMonitor(mlp(), probe=x, probe_part="half")
