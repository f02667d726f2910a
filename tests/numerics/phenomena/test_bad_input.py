"""Every quantity refuses what it cannot use in one line that names argument, value and remedy."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epsrank import (
    AmplitudeTransport,
    BarrierTo,
    FrequencyError,
    InitialDistance,
    InputError,
    LayerQuantity,
    Orientations,
    PathLength,
    ProductRank,
    QuantityData,
    SignChanges,
    UpdateCosine,
    batch_sharpness,
    frequency_errors,
    gradient_noise,
    hessian_density,
    hessian_eigenvalues,
    hessian_top,
    lidar,
    m_coherence,
    negative_curvature,
    noise_directions,
    noise_scale,
    noise_top,
    stiffness,
    stiffness_matrix,
    top_space_share,
)
from tests.numerics.phenomena.cases import mlp, samples

NET, DATA = mlp(), samples(12)
ONE = nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 1)).double()
X, Y = DATA.inputs, DATA.targets
VALUES = torch.randn(12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
BROKEN = mlp()
with torch.no_grad():
    BROKEN[2].weight[0, 0] = torch.nan
    HOLED = X.clone().index_fill_(0, torch.tensor([3]), torch.nan)

FEW = {"batch_size": 12, "batches": 2}
#: Those that take labels alone cannot be asked about other targets.
LABELS = {"stiffness": stiffness, "stiffness_matrix": stiffness_matrix}
OF_LOSS = {
    "hessian_eigenvalues": partial(hessian_eigenvalues, steps=2),
    "hessian_top": partial(hessian_top, steps=2),
    "hessian_density": partial(hessian_density, steps=2, probes=1),
    "top_space_share": partial(top_space_share, steps=2, count=1),
    "negative_curvature": partial(negative_curvature, steps=2, probes=1),
    "batch_sharpness": partial(batch_sharpness, **FEW),
    "gradient_noise": partial(gradient_noise, **FEW),
    "noise_top": partial(noise_top, **FEW),
    "noise_directions": partial(noise_directions, **FEW),
    "noise_scale": partial(noise_scale, **FEW),
    "m_coherence": m_coherence,
    "barrier": lambda model, loss, data: BarrierTo(model.state_dict(), points=2)(model, loss, data),
}
OF_SAMPLES = {
    "frequency": FrequencyError(1.0, method="principal"),
    "path": PathLength("1"),
    "layer": LayerQuantity("1", lidar, with_targets=True),
}


def squared(u, y):
    return (u - y.double()).square().mean()


def rows(u, y):
    return F.cross_entropy(u, y, reduction="none")


CE = F.cross_entropy
#: Model, loss, samples, and what the one line says.
PAIRED = r"targets have shape .*; pass targets\.reshape"
OF_TARGETS = {
    "one axis less": (ONE, F.mse_loss, (X, VALUES), PAIRED),
    "one axis less, own loss": (ONE, squared, (X, VALUES), PAIRED),
    "one axis less, logits": (ONE, F.binary_cross_entropy_with_logits, (X, VALUES), PAIRED),
    "NaN in targets": (ONE, F.mse_loss, (X, HOLED[:, :1]), "targets have numbers.*sample 3; leave"),
}  # fmt: skip
OF_ALL = {
    "NaN in inputs": (NET, CE, (HOLED, Y), "inputs have numbers .* sample 3; leave"),
    "NaN in weights": (BROKEN, CE, (X, Y), r"model has weights .*2\.weight\); measure before"),
    "no samples": (NET, CE, (X[:0], Y[:0]), "inputs hold no samples; pass"),
    "no batches": (NET, CE, ([], Y), "inputs hold no samples; pass"),
    "no inputs": (NET, CE, (None, Y), "inputs are missing; pass"),
    "floats as labels": (NET, CE, (X, Y.double()), "targets are .*float64.*; pass .*whole numbers"),
    "label of no class": (NET, CE, (X, Y + 1), "targets hold the label 3.*; pass labels from 0"),
    "NumPy inputs": (NET, CE, (X.numpy(), Y), "inputs are a NumPy array.*; pass torch.as_tensor"),
    "NumPy targets": (NET, CE, (X, Y.numpy()), "targets are .*ndarray.*; pass a tensor"),
    "no targets": (NET, CE, (X,), "targets are .*; pass"),
    "whole numbers as inputs": (NET, CE, (X.long(), Y), r"inputs .*int64 .*inputs.to\(torch.float"),
    "other columns": (NET, CE, (X[:, :4], Y), r"(inputs of shape|through) .*12?x4.*; pass"),
    "fewer targets": (NET, CE, (X, Y[:5]), r"have (shape \(5,\)|\[5, 12\]).*; pass"),
    "no loss": (NET, None, (X, Y), "loss is missing; pass a function"),
    "a loss by name": (NET, "mse", (X, Y), "loss is a str; pass a function"),
    "a class of losses": (NET, nn.MSELoss, (X, Y), "loss is the class MSELoss; pass a function"),
}


@pytest.mark.parametrize("name", [*OF_LOSS, *LABELS])
def test_quantities_of_a_loss(name):
    cases = OF_ALL if name in LABELS else {**OF_ALL, **OF_TARGETS}
    for case, (model, loss, given, line) in cases.items():
        # A mean over one sample at a time pairs nothing.
        if (name, case) == ("m_coherence", "one axis less, own loss"):
            continue
        quantity = (OF_LOSS | LABELS)[name]
        with pytest.raises(InputError, match=line) as found:
            quantity(model, loss, QuantityData(*given))
        assert "\n" not in str(found.value), case
    if name not in LABELS and name != "m_coherence":
        with pytest.raises(
            InputError, match=r"loss gives numbers of shape .*; pass one that takes"
        ):
            OF_LOSS[name](NET, rows, DATA)


@pytest.mark.parametrize("name", OF_SAMPLES)
@pytest.mark.parametrize("case", ["no samples", "NumPy inputs", "other columns", "no inputs"])
def test_quantities_of_samples(name, case):
    model, _, given, line = OF_ALL[case]
    with pytest.raises(InputError, match=line):
        OF_SAMPLES[name](model, None, QuantityData(*given))


@pytest.mark.parametrize("case", ["NaN in inputs", "NaN in weights", "NumPy targets", "no targets"])
def test_frequencies(case):
    model, _, given, line = OF_ALL[case]
    with pytest.raises(InputError, match=line):
        OF_SAMPLES["frequency"](model, None, QuantityData(*given))


@pytest.mark.parametrize("quantity", [*OF_LOSS.values(), *LABELS.values(), *OF_SAMPLES.values()])
def test_what_is_no_data_and_no_model(quantity):
    for data, line in ((None, "data is missing"), ((X, Y), "data is a tuple")):
        with pytest.raises(InputError, match=f"{line}; pass QuantityData"):
            quantity(NET, CE, data)
    if quantity is not OF_LOSS["barrier"]:
        with pytest.raises(InputError, match=r"model is <lambda>; pass a torch\.nn\.Module"):
            quantity(lambda z: z, CE, DATA)


@pytest.mark.parametrize(
    "quantity",
    [
        Orientations("0"),
        ProductRank(["0"]),
        AmplitudeTransport(NET, "0", "2"),
        SignChanges(NET),
        InitialDistance(NET),
        UpdateCosine(NET),
        BarrierTo(NET.state_dict()),
    ],
)
def test_quantities_of_weights_take_models_alone(quantity):
    with pytest.raises(InputError, match=r"model is a int; pass a torch\.nn\.Module"):
        quantity(3, CE, DATA)


def test_losses_that_pair_on_purpose_are_let_through():
    """A loss may bring shapes together itself, and compare targets with each other."""

    def by_hand(u, y):
        return (u[:, 0] - y).square().mean()

    def ranking(u, y):
        return F.softplus(-(u - u.T) * torch.sign(y[:, None] - y)).mean()

    column = QuantityData(X, VALUES[:, None])
    wanted = hessian_top(ONE, F.mse_loss, column, steps=3).value
    flat = QuantityData(X, VALUES)
    assert hessian_top(ONE, by_hand, flat, steps=3).value == pytest.approx(wanted)
    assert np.isfinite(hessian_top(ONE, ranking, flat, steps=3).value)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["grid", "least-squares"])
def test_a_frequency_that_the_target_lacks(method, dtype):
    """It was the ratio of two roundings, some 1e14."""
    x = (np.arange(400) * 2 * np.pi / 400 - np.pi).astype(dtype)
    y = (np.sin(x) + 3 * np.sin(5 * x)).astype(dtype)
    found = frequency_errors(x, y, np.tanh(x), [1, 3, 5], method=method)
    assert np.isfinite(found[[0, 2]]).all()
    assert found[1] == np.inf
    assert np.isnan(frequency_errors(x, y, y, [1, 3], method=method)[1])
    # A thousandth of the roundings' worth is not taken for rounding.
    weak = (y + 1e-4 * np.sin(3 * x)).astype(dtype)
    assert np.isfinite(frequency_errors(x, weak, np.tanh(x), [1, 3, 5], method=method)).all()
    with pytest.raises(InputError, match="frequency is 3, of which the targets have nothing"):
        FrequencyError(3, method=method, among=[1, 5] if method == "least-squares" else ())(
            nn.Linear(1, 1).to(torch.tensor(x).dtype),
            None,
            QuantityData(torch.tensor(x)[:, None], torch.tensor(y)[:, None]),
        )


def test_wider_numbers_are_rounded_as_those_that_they_are_worked_with_in():
    x = np.arange(400) * 2 * np.pi / 400 - np.pi
    wide = (v.astype(np.longdouble) for v in (x, np.sin(x), np.tanh(x)))
    assert frequency_errors(*wide, [1, 3]).tolist()[1] == np.inf
