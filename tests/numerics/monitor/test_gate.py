"""A required rank: certified ends decide, and what is open is said to be open."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from epsrank import RankMonitor, RankTooLow, RankUndecided, RankVerdict
from epsrank.numerics.monitor.gate import certified_ends
from epsrank.numerics.monitor.numbers.quantities import quantities
from epsrank.numerics.monitor.numbers.sketch import sketch_spectrum
from epsrank.numerics.monitor.numbers.sketched import sketched_quantities
from epsrank.theory.errors import InputError

DEFINITIONS = ("stable_rank", "participation_ratio", "effective_rank", "rankme", "entropy_rank")


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1))


def watched(**settings: object) -> RankMonitor:
    settings = {"every": 2, "probe": torch.randn(64, 3), **settings}
    return RankMonitor(net(), **settings)


def test_met_missed_and_the_layers() -> None:
    with watched(eps=(1e-9, 1e-2)) as monitor:
        for _ in range(4):
            monitor.step()
        verdict = monitor.require(rank=5)
        assert verdict
        assert (verdict.state, verdict.layer, verdict.lower, verdict.step) == ("met", "3", 5, 4)
        assert "ε-rank ≥ 5 at ε = 1e-09 of 3: met; 5 at step 4, on 64 samples" in str(verdict)
        assert monitor.require(6, layer="1").state == "met"
        with pytest.raises(RankTooLow, match=r"ε-rank ≥ 6 at ε = 1e-09 of 3: missed; 5 at") as why:
            monitor.require(6)
        assert why.value.verdict.upper == 5
        assert pickle.loads(pickle.dumps(why.value)).verdict == why.value.verdict
        low = monitor.require(5, eps=1e-2, raises=False)
        assert (low.state, low.eps) == ("missed", 1e-2)
        assert not low
    # After the training it is the latest measurement that decides.
    assert monitor.require(rank=5).step == 4


def test_a_step_by_which_it_must_be_there() -> None:
    with watched(every=3) as monitor:
        states = []
        for _ in range(7):
            monitor.step()
            states.append(monitor.require(5, at_step=4, raises=False).state)
        # From step 4 on nothing was measured yet, so the probe is.
        assert states == ["not due"] * 3 + ["met"] * 4
        assert monitor.history.steps == [3, 4, 6]
        assert monitor.require(5, at_step=4).step == 4
        assert monitor.require(99, at_step=8).state == "not due"
    with pytest.raises(RankUndecided, match="nothing was measured on all samples at step 8"):
        monitor.require(1, at_step=8)


def test_of_several_processes_the_first_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    with watched() as monitor:
        group = monitor._measurer.processes
        monkeypatch.setattr(type(group), "grouped", True)
        # To measure now, every process would have to.
        with pytest.raises(RankUndecided, match="nothing was measured on all samples"):
            monitor.require(5)
        monkeypatch.setattr(group, "first", False)
        verdict = monitor.require(5)
        assert (verdict.state, verdict.reason) == (
            "not due",
            "process 0 has the history, and decides",
        )
        monkeypatch.undo()


def test_without_a_probe_it_waits_for_the_next_measurement() -> None:
    model = net()
    with RankMonitor(model, every=2) as monitor:
        model(torch.randn(64, 3))
        monitor.step()
        assert monitor.require(5, at_step=1).state == "not due"
        with pytest.raises(RankUndecided, match="nothing was measured"):
            monitor.require(5)
        for _ in range(3):
            monitor.step()
            model(torch.randn(64, 3))
        monitor.step()
        assert monitor.require(5, at_step=1).state == "met"


def test_the_first_measurement_is_made_where_there_is_none() -> None:
    with watched(every=100) as monitor:
        assert monitor.require(5).step == 0
        assert len(monitor.history.steps) == 1


def test_a_part_of_the_probe_decides_nothing() -> None:
    with watched() as monitor:
        monitor.step()
        monitor.step()
        part = [r for r in monitor.history if r.layer == "3"][-1]
        object.__setattr__(part, "probe_part", 0.5)
        assert monitor.require(5).state == "met"
        assert monitor.latest["3"].probe_part == 1


@pytest.mark.filterwarnings("ignore:.*NaN or infinite entries")
def test_a_failed_measurement_is_undecided() -> None:
    with watched() as monitor:
        monitor.plan.model[2].weight.data[0, 0] = torch.nan
        monitor.measure()
        with pytest.raises(RankUndecided, match="undecided; step 0: features have 64 NaN"):
            monitor.require(3)


def test_quantities_that_were_not_computed_are_undecided() -> None:
    with watched(quantities="ranks") as monitor:
        with pytest.raises(RankUndecided, match="make the monitor with quantities='all'"):
            monitor.require(3, definition="rankme")
        assert monitor.require(3).state == "met"


def test_an_interval_that_holds_both_is_undecided() -> None:
    # Positive features of one size in disjoint samples: G = I/8 up to rounding, and ε is 1/8.
    probe = torch.eye(8).repeat(8, 1) * 3.3
    model = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Linear(8, 1))
    eps = float(torch.tensor(3.3).double() ** 2 / 8)
    with RankMonitor(model, probe=probe, every=1, eps=eps) as monitor:
        monitor.step()
        found = monitor.latest["1"].rank()
        assert (found.lower, found.upper) == (0, 8)
        with pytest.raises(RankUndecided, match=r"undecided; \[0, 8\] at step 1.*error bound"):
            monitor.require(3)
        verdict = monitor.require(3, raises=False)
        assert isinstance(verdict, RankVerdict)
        assert not verdict
        assert monitor.require(9, raises=False).state == "missed"


def test_other_quantities_have_certified_ends() -> None:
    with watched() as monitor:
        monitor.measure()
        found = monitor.latest["3"].quantities
        for name in DEFINITIONS:
            value = getattr(found, name)
            verdict = monitor.require(0.99 * value, definition=name)
            assert verdict.lower <= value <= verdict.upper <= 1.01 * value
            assert verdict.eps is None
            with pytest.raises(RankTooLow, match=f"^{name} ≥"):
                monitor.require(1.01 * value, definition=name)
            with pytest.raises(RankUndecided, match="within the rounding of the spectrum"):
                monitor.require(value, definition=name)


@pytest.mark.parametrize("error", [0.0, 1e-12, 1e-6])
def test_ends_hold_for_every_spectrum_within_the_error(error: float) -> None:
    rng = np.random.default_rng(0)
    spectrum = np.sort(rng.exponential(size=20) ** 3)[::-1]
    found = quantities(spectrum, error, np.ones(20))
    for _ in range(50):
        other = np.maximum(spectrum + error * rng.choice([-1, 1], size=20), 0.0)
        other = quantities(np.sort(other)[::-1], error, np.ones(20))
        for name in DEFINITIONS:
            low, high = certified_ends(found, name, 20)
            assert low <= getattr(other, name) <= high
            if error < 1e-9:
                assert high - low <= 1e-3 * high


def test_a_sketch_has_ends_of_entropies_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 300)) * np.arange(1, 301) ** -2.0
    gram = x.T @ x / 400
    found = sketched_quantities(sketch_spectrum((gram + gram.T) / 2, 1e-13), np.ones(300))
    exact = quantities(np.linalg.eigvalsh(gram)[::-1].clip(0), 1e-13, np.ones(300))
    for name in DEFINITIONS[2:]:
        low, high = certified_ends(found, name, 300)
        assert low <= getattr(exact, name) <= high
    assert certified_ends(found, "stable_rank", 300) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rank": 0}, "rank is 0; pass the least rank"),
        ({"rank": 3, "layer": "9"}, "layer is '9'; choose one of: 1, 3"),
        ({"rank": 3, "eps": 1e-3}, "eps is 0.001, which is not measured; choose one of 1e-06"),
        ({"rank": 3, "definition": "srank"}, "definition is 'srank'; choose one of 'epsilon'"),
        ({"rank": 3, "definition": "rankme", "eps": 1e-6}, "definition='rankme' knows nothing"),
        ({"rank": 3, "at_step": -1}, "at_step is -1"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], words: str) -> None:
    with watched() as monitor, pytest.raises(InputError, match=words):
        monitor.require(**arguments)
