"""Every measurement holds its inequalities, and says so; a checkpoint can be certified."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from epsrank.numerics.training import Run, RunConfig, load_run, train
from epsrank.numerics.training import measure as measuring
from epsrank.theory import InputError
from epsrank.theory.floor.loss_floor import floor_of

SMALL: dict[str, Any] = {"width": 12, "depth": 2, "steps": 40, "n_train": 60, "device": "cpu"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "small"
    train(RunConfig(**SMALL), folder)
    return load_run(folder)


def test_every_measurement_says_that_its_chain_holds(run: Run) -> None:
    assert {record.chain for record in run.records} <= {"strict", "rounding"}
    assert run.table().column("chain").to_pylist() == [record.chain for record in run.records]
    assert run.records[0].to_json()["chain"] == run.records[0].chain


def test_an_inflated_floor_is_seen_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def inflated(*arguments: Any, **settings: Any) -> Any:
        honest = floor_of(*arguments, **settings)
        return replace(honest, floor_norm=honest.floor_norm + 2 * honest.envelope_norm)

    monkeypatch.setattr(measuring, "floor_of", inflated)
    found = train(RunConfig(**{**SMALL, "steps": 1}))
    assert [record.chain for record in found.records] == ["violated", "violated"]


@pytest.mark.parametrize("bias", ["feature", "fixed"])
def test_every_checkpoint_is_certified(bias: str) -> None:
    found = train(RunConfig(**SMALL, bias=bias, measure_every=10))
    for index, record in enumerate(found.records):
        for threshold, floor in zip(record.eps, record.floors, strict=True):
            certificate = found.certificate(index, threshold)
            assert certificate.holds
            assert float(certificate.loss) == pytest.approx(record.loss, rel=1e-9)
            assert floor is not None
            assert float(certificate.floor.upper) >= floor * (1 - 1e-6) - 1e-12


def test_losses_without_a_floor_have_no_certificate() -> None:
    found = train(RunConfig(**{**SMALL, "task": "digits", "loss": "cross-entropy", "steps": 1}))
    assert found.records[-1].chain is None
    with pytest.raises(InputError, match="minimises cross-entropy"):
        found.certificate()


def test_an_unknown_measurement_has_no_certificate(run: Run) -> None:
    with pytest.raises(InputError, match="index is 99"):
        run.certificate(99)
