"""Every model of the table: the reading's loss is the model's, or there is a reason."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from epsrank import History, epsilon_rank
from epsrank.numerics.monitor import RankMonitor, RankWarning
from tests.numerics.monitor.heads.models import MODELS

pytestmark = pytest.mark.filterwarnings(f"ignore::{RankWarning.__module__}.RankWarning")


def drawn(model):
    """Return a network, its inputs, and targets that fit its output."""
    torch.manual_seed(3)
    network, x = model.build(), model.inputs()
    output = model.pick(network.eval()(x)).detach()
    network.train()
    if model.loss == "mse":
        return network, x, output + 0.1 * torch.randn_like(output)
    rows = output.movedim(model.classes, -1)
    return network, x, torch.randint(0, rows.shape[-1], rows.shape[:-1])


def loss_of(model, output, y):
    """Return the loss of the reading as torch has it: mean over samples, summed over outputs."""
    output = model.pick(output).double()
    if model.loss == "cross_entropy":
        return F.cross_entropy(output.movedim(model.classes, -1).flatten(0, -2), y.flatten())
    squares = (output - y).square()
    columns = 1 if output.ndim == 1 else output.shape[-1]
    return squares.mean() * columns


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_loss_is_the_models_own_or_there_is_a_reason(model):
    network, x, y = drawn(model)
    before = copy.deepcopy(network.state_dict())
    generator = torch.get_rng_state()
    with RankMonitor(
        network, probe=x, targets=y, loss=model.loss, every=1, warn=False, **model.options
    ) as monitor:
        monitor.measure()
    record = monitor.latest[monitor.plan.last.name]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())
    assert all(not module._forward_hooks for module in network.modules())
    if not model.read:
        assert record.reading is None
        assert model.says in record.failure
        assert bool(record.ranks) == ("no reading" in record.failure) == model.ranks
        return
    assert record.failure is None, record.failure
    reading = record.reading
    assert model.says in reading.form
    assert reading.head in str(monitor.plan)
    network.eval()
    wanted = float(loss_of(model, network(x), y).detach())
    assert reading.loss == pytest.approx(wanted, rel=1e-4)
    assert reading.reachable <= reading.loss * (1 + 1e-9)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_training_is_the_same_bit_for_bit(model):
    if not any(True for _ in model.build().parameters()):
        pytest.skip("nothing to train")
    results = []
    for monitored in (False, True):
        network, x, y = drawn(model)
        weights = [p for p in network.parameters() if p.requires_grad]
        optimiser = torch.optim.SGD(weights, 1e-2)
        monitor = None
        if monitored:
            head = {} if model.shown is None else {"head": model.shown}
            monitor = RankMonitor(
                network, loss=model.loss, every=1, warn=False, **model.options, **head
            )
        for step in range(3):
            optimiser.zero_grad()
            loss_of(model, network(x), y).backward()
            optimiser.step()
            if monitor is not None:
                # Cross-entropies take long to read.
                monitor.step(targets=y if model.loss == "mse" or step == 1 else None)
        if monitor is not None:
            monitor.close()
            assert monitor.history.steps
        results.append([*network.state_dict().values(), torch.get_rng_state()])
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_a_head_in_training_is_read_with_the_noise_of_the_step():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Dropout(0.4), nn.Linear(9, 2))
    x, y = torch.randn(30, 4), torch.randn(30, 2)
    with RankMonitor(model, loss="mse", every=1, head="3", warn=False) as monitor:
        for _ in range(3):
            loss = F.mse_loss(model(x), y)
            monitor.step(loss, targets=y)
    losses = [record.reading.loss for record in monitor.history if record.reading is not None]
    assert losses[-1] == pytest.approx(2 * float(loss.detach()), rel=1e-5)


def test_the_rank_of_scaled_features_stands_beside_the_reading(tmp_path):
    class Wall(nn.Module):
        """Outputs that vanish for the first samples: D is 0 there, and Dφ has fewer directions."""

        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 9), nn.Tanh())
            self.head = nn.Linear(9, 1)

        def forward(self, x):
            return x[:, :1].clamp(min=0) * self.head(self.body(x))

    torch.manual_seed(0)
    model, x = Wall(), torch.randn(30, 4)
    x[:, 0] = -1
    x[:5, 0] = torch.rand(5) + 1
    with RankMonitor(model, probe=x, targets=torch.randn(30, 1), loss="mse", every=1) as monitor:
        monitor.step()
    record = monitor.latest["body.1"]
    scaled = x[:, :1].clamp(min=0) * model.body(x)
    known = epsilon_rank(scaled.detach().double(), 1e-6)
    assert (record.reading.rank_lower, record.reading.rank_upper) == (known.lower, known.upper)
    assert record.rank().lower > record.reading.rank_upper == 5
    for name in ("a.csv", "a.json"):
        monitor.history.to_csv(tmp_path / name) if name[-1] == "v" else monitor.history.to_json(
            tmp_path / name
        )
        [again] = [r for r in History.read(tmp_path / name) if r.layer == "body.1"]
        assert again.reading.rank_upper == 5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("probe", [False, True])
def test_under_autocast_the_reading_is_of_the_type_it_names(dtype, probe):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 3))
    x, y = torch.randn(40, 4), torch.randint(0, 3, (40,))
    given = {"probe": x, "targets": y} if probe else {}
    with RankMonitor(model, loss="cross_entropy", every=1, **given) as monitor:
        for _ in range(2):
            with torch.autocast("cpu", dtype=dtype):
                loss = F.cross_entropy(model(x).float(), y)
            monitor.step(loss, targets=None if probe else y)
    record = monitor.latest["1"]
    assert record.failure is None
    assert record.dtype == ("float32" if probe else str(dtype).removeprefix("torch."))
    own = F.cross_entropy(model(x), y) if probe else loss
    room = 1e-6 if probe else torch.finfo(dtype).eps
    assert record.reading.loss == pytest.approx(float(own.detach()), rel=room)
