"""Several heads: `explain` asks which one, the plot names the one it draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from epsrank import History, RankMonitor, read_plateau
from epsrank.theory.errors import InputError

X = torch.linspace(-1, 1, 60)[:, None]


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 10), nn.Tanh())
        self.a, self.c = nn.Linear(10, 1), nn.Linear(10, 1)

    def forward(self, x):
        h = self.body(x)
        return self.a(h), self.c(h)


@pytest.fixture(scope="module")
def monitor():
    torch.manual_seed(0)
    model, y = Two(), {"a": X.cos(), "c": (3 * X).sin()}
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    with RankMonitor(
        model, probe=X, heads=["a", "c"], targets=y, loss="mse", every=10, keep_features=4
    ) as monitor:
        for _ in range(20):
            optimiser.zero_grad()
            sum(nn.functional.mse_loss(o, g) for o, g in zip(model(X), y.values())).backward()  # noqa: B905
            optimiser.step()
            monitor.step()
    return monitor


def losses(monitor, head):
    return [r.reading.loss for r in monitor.history if r.reading and r.reading.head == head]


def test_explain_asks_for_the_head(monitor):
    with pytest.raises(InputError, match=r"head is not clear: 'a' and 'c' have a reading"):
        monitor.explain(10, 20)
    for head in ("a", "c"):
        found = monitor.explain(10, 20, head=head)
        both = [found.loss_before, found.loss_after]
        assert both == pytest.approx(losses(monitor, head)[:2], rel=1e-4)
    with pytest.raises(InputError, match="head is 'b'"):
        monitor.explain(10, 20, head="b")
    assert monitor.kept_steps == (10, 20)


@pytest.mark.parametrize(("head", "drawn"), [(None, "a"), ("a", "a"), ("c", "c")])
def test_the_plot_names_its_head(monitor, head, drawn):
    above = monitor.plot(head=head).axes[0]
    [line] = [line for line in above.lines if str(line.get_label()).startswith("loss of head")]
    assert line.get_label() == f"loss of head {drawn}, on the samples measured"
    assert np.allclose(line.get_ydata(), losses(monitor, drawn))
    with pytest.raises(InputError, match="heads with readings are 'a', 'c'"):
        monitor.plot(head="b")


def test_one_measurement_is_a_point_and_a_constant_rank_has_whole_ticks():
    model = nn.Sequential(nn.Linear(1, 3), nn.Tanh(), nn.Linear(3, 1))
    with RankMonitor(model, probe=X, targets=X, loss="mse", every=1) as monitor:
        monitor.step(1.0)
    figure = monitor.plot()
    figure.canvas.draw()
    assert isinstance(monitor.history, History)
    for line in figure.axes[0].lines:
        assert list(line.get_markevery()) == [0]
    low, high = figure.axes[1].get_ylim()
    ticks = [t for t in figure.axes[1].get_yticks() if low <= t <= high]
    assert ticks
    assert all(tick == round(tick) for tick in ticks)


def test_a_shift_of_targets_and_bias_changes_nothing():
    generator = np.random.default_rng(0)
    features, w = generator.normal(size=(50, 4)), generator.normal(size=4)
    target = generator.normal(size=50)
    one = read_plateau(features, target, coefficients=w, bias_value=0.3)
    both = read_plateau(features, target + 100, coefficients=w, bias_value=100.3)
    alone = read_plateau(features, target + 100, coefficients=w, bias_value=0.3)
    assert both.loss == pytest.approx(one.loss, rel=1e-9)
    assert (both.name, both.reachable) == (one.name, pytest.approx(one.reachable, rel=1e-9))
    assert alone.name == "optimiser-limited"
