"""What is a sample: masks, weights, ragged sequences, and loaders that bring their targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from epsrank.numerics.monitor import RankMonitor, RankWarning
from epsrank.theory.errors import InputError

pytestmark = pytest.mark.filterwarnings(f"ignore::{RankWarning.__module__}.RankWarning")

LENGTH = 6


class Tokens(nn.Module):
    """A layer for every token, and an output for every token or for the mean over some."""

    def __init__(self, pooled=False):
        super().__init__()
        self.embed, self.body = nn.Embedding(9, 8), nn.Linear(8, 14)
        self.act, self.head = nn.Tanh(), nn.Linear(14, 3)
        self.pooled = pooled

    def forward(self, tokens, kept=None):
        h = self.act(self.body(self.embed(tokens)))
        if self.pooled:
            kept = (tokens > 0)[..., None]
            h = (h * kept).sum(1) / kept.sum(1)
        return self.head(h)


def padded(length, pooled=False):
    """Return 32 sequences of 6 tokens, padded; 0 is no token."""
    torch.manual_seed(0)
    model = Tokens(pooled)
    tokens = torch.randint(1, 9, (32, LENGTH))
    labels = torch.randint(0, 3, (32, LENGTH))
    x = F.pad(tokens, (0, length - LENGTH))
    return model, x, F.pad(labels, (0, length - LENGTH), value=1)


def measured(model, probe, every=1, **options):
    with RankMonitor(model, probe=probe, every=every, eps=1e-2, warn=False, **options) as monitor:
        monitor.measure()
    return monitor


@pytest.mark.parametrize("kind", ["array", "callable", "weights", "list"])
def test_padding_counts_nowhere(kind):
    found = {}
    # The fault that this is about was seen at 600 tokens: one of them for 100 of padding.
    for length in (6, 12, 60, *([600] if kind == "array" else [])):
        model, x, y = padded(length)
        kept = x > 0
        options = {
            "array": {"mask": kept},
            "callable": {"mask": lambda batch: batch > 0},
            "weights": {"weights": 2.5 * kept.double()},
            "list": {"mask": [kept[:20], kept[20:]]},
        }[kind]
        probe = [x[:20], x[20:]] if kind == "list" else x
        monitor = measured(model, probe, targets=y, loss="cross_entropy", **options)
        record = monitor.latest["act"]
        rank, reading = record.rank(), record.reading
        found[length] = (rank.lower, rank.upper, record.n_samples, reading.loss, reading.reachable)
        with torch.no_grad():
            loss = F.cross_entropy(model.eval()(x)[kept], y[kept])
        assert reading.loss == pytest.approx(float(loss), rel=1e-5)
        assert reading.n_samples == record.n_samples == 32 * LENGTH
    assert len({own[:2] for own in found.values()}) == 1
    np.testing.assert_allclose(found[60], found[6], rtol=1e-2)


def test_without_a_mask_padding_is_taken_for_samples():
    ranks = []
    for length in (6, 60):
        model, x, _ = padded(length)
        ranks.append(measured(model, x).latest["act"].rank().upper)
    assert ranks[1] < ranks[0]


def test_a_sample_that_is_pooled_counts_if_one_of_its_tokens_does():
    model, x, y = padded(9, pooled=True)
    kept = x > 0
    kept[30:] = False
    monitor = measured(model, x, targets=y[:, 0], loss="cross_entropy", mask=kept)
    record = monitor.latest["head (input)"]
    assert (record.n_samples, record.reading.n_samples) == (30, 30)
    assert monitor.latest["act"].n_samples == 30 * LENGTH


def test_weights_are_those_of_the_measure():
    """A sample of weight 3 is three samples."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 7), nn.Tanh(), nn.Linear(7, 2))
    x, y = torch.randn(20, 3), torch.randn(20, 2)
    counts = torch.arange(20) % 4
    weighted = measured(model, x, targets=y, loss="mse", weights=counts).latest["1"]
    repeated = measured(
        model, x.repeat_interleave(counts, 0), targets=y.repeat_interleave(counts, 0), loss="mse"
    ).latest["1"]
    assert weighted.rank().lower == repeated.rank().lower
    assert weighted.quantities.trace == pytest.approx(repeated.quantities.trace, rel=1e-12)
    assert weighted.quantities.largest == pytest.approx(repeated.quantities.largest, rel=1e-12)
    for name in ("loss", "reachable", "norm"):
        assert getattr(weighted.reading, name) == pytest.approx(
            getattr(repeated.reading, name), rel=1e-6
        )


def test_training_batches_are_weighed_as_they_pass():
    model, x, y = padded(12)
    optimiser = torch.optim.SGD(model.parameters(), 1e-2)
    with RankMonitor(
        model, loss="cross_entropy", every=1, mask=lambda tokens: tokens > 0, warn=False
    ) as monitor:
        for _ in range(3):
            kept = x > 0
            loss = F.cross_entropy(model(x)[kept], y[kept])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            monitor.step(loss, targets=y)
    record = monitor.latest[monitor.plan.last.name]
    reading = record.reading
    assert record.n_samples == reading.n_samples == 32 * LENGTH
    assert reading.loss == pytest.approx(float(loss.detach()), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask": torch.ones(5)}, "mask has 5 rows"),
        ({"weights": -torch.ones(32)}, "weights has negative"),
        ({"weights": 1.0}, "weights"),
        ({"mask": lambda batch: batch.nothing}, "mask fails on a batch"),
    ],
)
def test_masks_that_do_not_fit_are_refused(options, words):
    model, x, _ = padded(6)
    with pytest.raises(InputError, match=words):
        measured(model, x, **options)


def test_a_mask_of_other_positions_is_a_failure_of_the_layer():
    model, x, _ = padded(6)
    monitor = measured(model, x, mask=torch.ones(32, 4))
    assert "mask has shape" in str(monitor.latest["act"].failure)


def test_an_array_needs_a_probe():
    with pytest.raises(InputError, match="lambda batch"):
        RankMonitor(Tokens(), mask=torch.ones(3))


class Pairs(Dataset):
    """Samples of which every one is another, as mappings or pairs."""

    def __init__(self, count=100, mapping=False):
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(count, 4, generator=generator)
        self.y = self.x.sum(1, keepdim=True)
        self.mapping = mapping

    def __len__(self):
        return len(self.x)

    def __getitem__(self, number):
        if self.mapping:
            return {"x": self.x[number], "labels": self.y[number]}
        return self.x[number], self.y[number]


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 1))

    def forward(self, x):
        return self.net(x)


def own_loss(model, x, y):
    with torch.no_grad():
        return float(F.mse_loss(model.eval()(x), y))


@pytest.mark.parametrize("mapping", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_loaders_bring_their_targets(shuffle, mapping):
    model, data = Named(), Pairs(mapping=mapping)
    state = torch.get_rng_state()
    loader = DataLoader(data, batch_size=16, shuffle=shuffle)
    monitor = measured(model, loader, loss="mse")
    assert torch.equal(state, torch.get_rng_state())
    for _ in range(2):
        record = monitor.latest["net.1"]
        assert record.reading.loss == pytest.approx(own_loss(model, data.x, data.y), rel=1e-5)
        assert record.reading.n_samples == 100


def test_a_long_loader_is_drawn_from():
    model, data = Named(), Pairs()
    loader = DataLoader(data, batch_size=16, shuffle=True)
    record = measured(model, loader, loss="mse", max_samples=40).latest["net.1"]
    assert (record.n_samples, record.reading.n_samples) == (40, 40)
    # In order, with targets of their own.
    ordered = DataLoader(TensorDataset(data.x), batch_size=16)
    record = measured(model, ordered, targets=data.y, loss="mse", max_samples=40).latest["net.1"]
    assert record.reading.n_samples == 40


def test_pairs_without_a_loss_are_inputs_of_a_model_that_takes_one():
    record = measured(Named(), DataLoader(Pairs(), batch_size=50)).latest["net.1"]
    assert record.n_samples == 100
    assert record.reading is None


def test_a_model_of_two_inputs_gets_both():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 1))

        def forward(self, x, scale):
            return self.net(x) * scale

    x = torch.randn(30, 4)
    batches = [(x[:10], torch.ones(10, 1)), (x[10:], torch.ones(20, 1))]
    assert measured(Two(), batches).latest["net.1"].n_samples == 30
    triples = [(*batch, torch.zeros(len(batch[0]), 1)) for batch in batches]
    record = measured(Two(), triples, loss="mse").latest["net.1"]
    assert record.reading.n_samples == 30


@pytest.mark.parametrize("probe", ["shuffled loader", "shuffled iterable", "targets twice"])
def test_targets_beside_another_order_are_refused(probe):
    data = Pairs()
    inputs = TensorDataset(data.x)

    class Shuffled:
        def __iter__(self):
            yield from DataLoader(inputs, batch_size=10, shuffle=True)

    given = {
        "shuffled loader": DataLoader(inputs, batch_size=10, shuffle=True),
        "shuffled iterable": Shuffled(),
        "targets twice": DataLoader(data, batch_size=10),
    }[probe]
    words = "bring their own" if probe == "targets twice" else "another order"
    with pytest.raises(InputError, match=words):
        RankMonitor(Named(), probe=given, targets=data.y, loss="mse")
