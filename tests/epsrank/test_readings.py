"""Plateaus of known cause read by their cause, with one verdict from every entry (F6)."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from epsrank import RankMonitor, RunConfig, convex_floor, loss_floor, read_plateau, train
from epsrank.cli import main
from epsrank.numerics.monitor.records.record import LayerReading
from epsrank.numerics.plots.plateau import draw_plateau
from epsrank.proofs.instances.plateaus import Plateau, known_plateaus
from epsrank.theory.floor.plateau import plateau_curve
from epsrank.theory.floor.reading import MEANINGS, Reading

CASES = known_plateaus()


def by_function(case: Plateau) -> Reading:
    return read_plateau(case.features, case.target, coefficients=case.weight, bias_value=case.bias)


def by_parts(case: Plateau) -> Reading:
    """Norm and loss alone, as a caller has them who measured the loss elsewhere."""
    loss = float(np.mean((case.features @ case.weight + case.bias - case.target) ** 2))
    return read_plateau(
        case.features, case.target, norm=float(np.linalg.norm(case.weight)), loss_value=loss
    )


def by_floor(case: Plateau, bias: str = "feature") -> Reading:
    return loss_floor(
        case.features, case.target, eps=1e-6, coefficients=case.weight, bias=bias,
        bias_value=case.bias,
    ).verdict  # fmt: skip


def by_fixed_floor(case: Plateau) -> Reading:
    return by_floor(case, "fixed")


def by_convex_floor(case: Plateau) -> Reading:
    return convex_floor(
        case.features, case.target, loss="mse", coefficients=case.weight, bias="feature",
        bias_value=case.bias,
    ).verdict  # fmt: skip


def by_monitor(case: Plateau) -> LayerReading:
    n, k = case.weight.shape
    model = nn.Sequential(nn.Linear(n, n, bias=False), nn.ReLU(), nn.Linear(n, k)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(n))
        model[2].weight.copy_(torch.from_numpy(case.weight.T))
        model[2].bias.copy_(torch.from_numpy(case.bias))
    with RankMonitor(
        model, probe=torch.from_numpy(case.features), targets=torch.from_numpy(case.target),
        loss="mse", every=1, background=False,
    ) as monitor:  # fmt: skip
        records = monitor.step()
    reading = records[-1].reading
    assert reading is not None, records[-1].failure
    return reading


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_entry_reads_the_cause(case: Plateau) -> None:
    readings = [by_function(case), by_parts(case), by_floor(case), by_fixed_floor(case),
                by_monitor(case)]  # fmt: skip
    assert [reading.name for reading in readings] == [case.word] * len(readings)
    first = readings[0]
    assert first.half_ratio is not None
    for other in readings[1:]:
        assert other.bias == "free"
        assert other.half_ratio == pytest.approx(first.half_ratio, rel=1e-6)
        # Never the word alone.
        assert "B½" in str(other)


def test_a_shift_of_the_target_changes_no_number() -> None:
    for plain, shifted in zip(CASES[::2], CASES[1::2], strict=True):
        one, two = by_function(plain), by_function(shifted)
        assert two.half_norm == pytest.approx(one.half_norm, rel=1e-6)
        if one.ratio < 1e6:  # beyond, V is a rounding
            assert two.ratio == pytest.approx(one.ratio, rel=1e-6)


@pytest.mark.parametrize("case", [CASES[0], CASES[6], CASES[11], CASES[12]], ids=lambda c: c.name)
def test_the_convex_solver_reads_the_same(case: Plateau) -> None:
    assert by_convex_floor(case).name == case.word


@pytest.mark.parametrize("case", CASES[6:12], ids=lambda case: case.name)
def test_the_command_reads_the_same(case: Plateau, tmp_path) -> None:
    np.save(tmp_path / "phi.npy", case.features)
    np.savez(tmp_path / "data.npz", u=case.target, w=case.weight, b=case.bias)
    place = str(tmp_path / "data.npz")
    arguments = ["floor", str(tmp_path / "phi.npy"), "--target", f"{place}::u", "--coefficients",
                 f"{place}::w", "--bias", "feature", "--bias-value", f"{place}::b"]  # fmt: skip
    found = CliRunner().invoke(main, [*arguments, "--json"])
    assert found.exit_code == 0, found.output
    read = json.loads(found.output)
    expected = by_function(case)
    assert (read["reading"], read["reading_bias"]) == (case.word, "free")
    assert read["half_reachable"] == math.isfinite(expected.half_norm or 0.0)
    text = CliRunner().invoke(main, arguments).output
    assert f"reading: {case.word}" in " ".join(text.split())
    assert "B½" in text


def test_cross_entropy_reads_its_causes() -> None:
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(3, 6)) * 2
    labels = np.arange(60) % 3
    features = np.abs(centres[labels] + 0.3 * rng.normal(size=(60, 6)))
    zero = (np.zeros((6, 3)), np.zeros(3))
    wrong = (2 * rng.normal(size=(6, 3)), np.zeros(3))
    noise = rng.normal(size=(60, 1))
    cases = [
        (features, zero, "norm-limited"),
        (features, wrong, "optimiser-limited"),
        # One feature that knows nothing of the labels.
        (noise, (np.zeros((1, 3)), np.zeros(3)), "feature-limited"),
    ]
    for phi, (weight, bias), word in cases:
        given = {"coefficients": weight, "bias_value": bias}
        reading = read_plateau(phi, labels, loss="cross_entropy", **given)
        assert reading.name == word, str(reading)
        assert convex_floor(phi, labels, bias="feature", **given).reading == word
        # Logits that all move by one number are the same classifier.
        moved = read_plateau(
            phi, labels, loss="cross_entropy", coefficients=weight, bias_value=bias + 100
        )
        assert moved.name == word
        assert moved.reachable <= reading.attained
        assert reading.reachable <= moved.attained


def test_a_run_and_its_records_read_the_same(tmp_path) -> None:
    run = train(RunConfig(width=6, depth=1, steps=4, n_train=30, device="cpu"), out=tmp_path / "r")
    for index, record in enumerate(run.records):
        reading = run.reading(index)
        assert record.reading == reading.name
        assert record.reason == reading.reason
        assert record.ratio == pytest.approx(reading.ratio, rel=1e-9)
        assert record.half_norm == pytest.approx(reading.half_norm, rel=1e-9)
    watched = CliRunner().invoke(main, ["watch", str(tmp_path / "r"), "--once"])
    assert f"reading: {run.records[-1].reading}" in " ".join(watched.output.split())


def test_the_picture_says_word_and_numbers() -> None:
    for case in (CASES[2], CASES[6], CASES[10]):
        curve = plateau_curve(
            case.features, case.target, coefficients=case.weight, bias_value=case.bias, n_norms=9
        )
        assert (np.diff(curve.upper) <= 1e-12).all()  # V falls
        figure = draw_plateau(curve, title="here")
        (axes,) = figure.axes
        title = axes.get_title(loc="left")
        assert title.startswith(f"here\n{case.word}: loss/V")
        assert "B½" in title


def test_words_are_defined_once() -> None:
    assert {case.word for case in CASES} < set(MEANINGS)
