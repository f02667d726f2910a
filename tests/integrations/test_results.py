"""Event files of TensorBoard as runs, and results as DataFrames, by the packages themselves."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest

from epsrank import training_stages
from epsrank.numerics.results import import_runs, load_results
from epsrank.theory.errors import InputError
from tests.made_up_sweeps import plant


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_event_files_are_runs(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs epsrank[tensorboard]")
    from torch.utils.tensorboard import SummaryWriter

    for width in (4, 8):
        for seed in range(2):
            with SummaryWriter(str(tmp_path / f"w{width}" / f"seed{seed}")) as writer:
                for step in range(6):
                    loss = math.nan if (width, seed, step) == (8, 1, 5) else 1 / (1 + step)
                    writer.add_scalar("train/loss", loss, step)
                    if step % 2 == 0:  # at other steps, as people do
                        writer.add_scalar("val/accuracy", step / 8, step)
                writer.add_text("note", "no number", 3)
    # Of one folder they are one run, on one axis.
    found = training_stages(tmp_path, names="w{width}/seed{seed}", where={"width": 4})
    assert [run.seed for run in found.runs] == [0, 1]
    assert {"loss", "accuracy"} == set(found.runs[0].tracks)
    results = import_runs([tmp_path], names="w{width}/seed{seed}", targets=[0.25])
    assert results.varied == ("width",)
    assert [run.seed for run in results.runs] == [0, 1, 0, 1]
    run = results.runs[0]
    assert list(run.series["step"]) == [0, 1, 2, 3, 4, 5]
    assert run.figures["loss"] == pytest.approx(1 / 6)
    assert run.figures["test_accuracy"] == 0.5  # the last there is
    assert run.figures["steps_to_0.25"] == 3
    assert [run.status for run in results.runs] == ["done", "done", "done", "diverged"]
    (file,) = (tmp_path / "w4" / "seed0").iterdir()
    data = file.read_bytes()
    file.write_bytes(data[:-7])  # cut short by a kill: read up to there
    assert import_runs([file]).runs[0].figures["loss"] > 0
    file.write_bytes(struct.pack("<Q", 1 << 60) + data[8:])
    with pytest.raises(InputError) as told:
        import_runs([file])
    assert "\n" not in str(told.value)


def test_data_frames(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    results = load_results(plant(tmp_path / "out", seeds=3))
    frame = results.to_pandas()
    assert frame["final.loss"].shape == (6,)
    assert list(frame.groupby("settings.width")["seed"].count()) == [3, 3]
    lines = results.to_pandas(histories=True)
    assert isinstance(lines, pandas.DataFrame)
    assert lines.shape[0] == 30
