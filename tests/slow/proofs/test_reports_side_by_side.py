"""Reports of several experiments by two processes, which take their time to import PyTorch."""

from __future__ import annotations

from pathlib import Path

from tests.proofs.experiments.conftest import toys
from tests.proofs.experiments.test_reproduce import assert_an_error_is_a_line, both_reports

__all__ = ["toys"]  # a fixture


def test_reports_of_several_are_written_side_by_side(toys, tmp_path: Path) -> None:
    toys(Z1=1.0, Z2=-1.0)
    found = {jobs: both_reports(tmp_path / str(jobs), jobs) for jobs in (1, 2)}
    assert found[1] == found[2]
    assert len(found[1]) >= 6


def test_an_error_of_one_of_several_is_a_line(toys, tmp_path: Path) -> None:
    assert_an_error_is_a_line(toys(Z1=1.0, Z2=-1.0), tmp_path, jobs=2)
