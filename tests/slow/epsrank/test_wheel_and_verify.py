"""What `.ci/run` does with the installed wheel: a sweep, a claim, the modules of the extras."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.epsrank.test_archive import run_there, theirs, unpacked, wheel
from tests.epsrank.test_installation import _PROBE, EXTRAS, ROOT, TABLE, packages, run, within
from tests.epsrank.test_verify_command import verify

__all__ = ["theirs", "unpacked", "wheel"]  # fixtures


def test_workers_of_a_sweep_use_the_wheel_too(unpacked: Path, theirs: Path) -> None:
    done = run_there(unpacked, theirs, "-m", "epsrank", "sweep", "SPEC.toml", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "2 runs" in done.stdout
    assert "failed" not in done.stdout
    assert (theirs / "sweeps" / "SPEC" / "results.parquet").is_file()


def test_one_claim_for_real(tmp_path: Path) -> None:
    words = ("--claim", "duplicate-neuron", "--quick", "--jobs", "1")
    done = verify(*words, "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert "every verdict is as recorded" in done.stdout
    ledger = json.loads((tmp_path / "report" / "ledger.json").read_text())
    assert [claim["id"] for claim in ledger["claims"]] == ["duplicate-neuron"]
    assert ledger["claims"][0]["verdict"] == "refuted"
    assert ledger["claims"][0]["evidence"]
    assert ledger["environment"]
    assert (tmp_path / "report" / "index.html").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_list_of_modules_per_extra(tmp_path: Path) -> None:
    wanted = {extra: packages(extra) for extra in EXTRAS}
    done = run(_PROBE, json.dumps(wanted), folder=tmp_path, extras=())
    assert done.returncode == 0, done.stderr
    listed = json.loads(TABLE.read_text("utf-8"))
    page = (ROOT / "docs" / "installing.md").read_text("utf-8")
    for extra in EXTRAS:
        failed = json.loads((tmp_path / f"{extra}.json").read_text())
        # torchmetrics imports matplotlib where its metadata are, which a blocked import leaves.
        if extra == "plots":
            failed = [name for name in failed if not within(name, listed["metrics"])]
        # So many that the probe has tried something; few modules need a report or a metric.
        assert len(failed) > {"metrics": 2, "report": 6}.get(extra, 10)
        assert [name for name in failed if not within(name, listed[extra])] == [], extra
        assert [e for e in listed[extra] if not any(within(n, [e]) for n in failed)] == [], extra
        assert [e for e in listed[extra] if f"`{e}`" not in page] == []
