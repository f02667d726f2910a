"""Absurd requests: refused or asked about in one line, before anything is made."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from epsrank.cli import cost, main
from epsrank.cli.train import _folder
from epsrank.numerics.sweeps import cost as trials

HUGE = 10**20
EVERY_STEP = ("--measure-every", 1)


@pytest.mark.parametrize(
    ("words", "option", "problem"),
    [
        (["train", "cosines", "--steps", 10**24], "--steps is 1e+24", "longer than the universe"),
        (["train", "cosines", "--steps", 10**9], "--steps is 1e+09", "takes about 11 days"),
        (["train", "cosines", "--width", 10**12], "--width is 1e+12", "of memory or more"),
        (["train", "cosines", "--depth", 10**9], "--depth is 1e+09", "of memory or more"),
        (["train", "cosines", "--n-train", 10**13], "--n-train is 1e+13", "of memory or more"),
        (["train", "cosines", "--threads", HUGE], "--threads is 1000000", "from 1 to 1024"),
        (["train", "cosines", "--width", 3000, "--depth", 9, "--steps", 10**6, *EVERY_STEP],
         "--width is 3000", "on disk or more"),
        (["predict", "--depth", 10**5], "--depth is 100000", "takes about 11 hours"),
        (["predict", "--width", HUGE], "--width is 1e+20", "of memory or more"),
        (["predict", "--draws", 10**12], "--draws is 1e+12", "years; choose less, or pass --yes"),
        (["predict", "--points", 10**7], "--points is 10000000", "of memory or more"),
        (["predict", "--inputs", 2**31], "--inputs is 2.15e+09", "of memory or more"),
        (["predict", "--measure-seeds", 10**9], "--measure-seeds is 1e+09", "--yes to go on"),
        (["population", "--draw", 9, "--network", "x", "--seed", -1], "--seed", "-1 is not in"),
        (["conjecture", "--seed", -1], "--seed", "-1 is not in"),
        (["reproduce", "A1", "--seeds", HUGE], "--seeds", "is not in the range"),
        (["bench", "--threads", HUGE], "--threads", "is not in the range"),
        (["bench", "--full"], "NAME is rank, shapes", "takes about 4 hours"),
        (["bench", "rank", "--rounds", 10**6], "--rounds is 1000000", "--yes to go on"),
        (["verify", "--full", "--jobs", 1, "--out", "v"], "--size is full", "takes about 4 hours"),
        (["conjecture", "--restarts", 10**6, "--full"], "--restarts is", "of memory or more"),
        (["conjecture", "--steps", 10**9], "--steps is 1e+09", "--yes to go on"),
        (["conjecture", "--n", 40, "--p", 20], "--p is 20 for n = 40", "choose 1"),
        (["apriori", "cosines", "--n-train", 10**7], "--n-train is 10000000", "--yes to go on"),
        (["apriori", "cosines", "--neurons", 10**10], "--neurons is 1e+10", "of memory or more"),
        (["apriori", "sobolev", "--neurons", 10**12], "--neurons is 1e+12", "of memory or more"),
        (["apriori", "cosines", "--width", HUGE], "--width is 1000000", "pass a whole number"),
    ],
)  # fmt: skip
def test_absurd_requests_are_one_line(words, option, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 2
    assert done.stderr.startswith("epsrank: error: ")
    assert option in done.stderr
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_large_files_are_weighed_by_their_sizes(tmp_path, monkeypatch):
    """Headers of files that hold nothing: no array is made."""
    from epsrank.theory.data.inputs import Features

    class Shape:
        def __init__(self, *shape):
            self.shape, self.dtype = shape, np.dtype(float)

    def read(path, key):
        return Features(Shape(*map(int, Path(path).stem.split("x"))), "float64")

    for module in ("sources", "population", "prune", "certificates"):
        # The package has the commands under these names.
        monkeypatch.setattr(sys.modules[f"epsrank.cli.{module}"], "read_features", read)
    monkeypatch.setattr(cost, "machine_memory", lambda: 1e13)
    for words, said in (
        (
            "rank 100000x20000.npy",
            "FILE is 100000 × 20000 numbers, which takes about 6.7 hours, 38.4 GB",
        ),
        ("rank 200000x3000.npy --exact", "numbers in exact arithmetic, which takes about 7"),
        ("floor 100000x9000.npy --target y --norm 1", "FILE is 100000 × 9000 numbers, which takes"),
        ("prune 200000x3000.npy --coefficients c --neurons 2 --exact", "SOURCE is 200000 × 3000"),
        ("population 1000x100.npy --resamples 9000000", "--resamples is 9000000, which takes"),
        ("prove --export new --rank 1200x1000.npy", "read by Coq, which takes about 6.3 hours"),
        ("prove --export new --floor 900x1000.npy --target y --norm 1", "--floor is 900 × 1000"),
        ("rank 9000000x900000.npy", "143 TB of memory or more, and there are 10 TB"),
    ):
        done = CliRunner().invoke(main, words.split())
        assert done.exit_code == 2, (words, done.exception)
        assert said in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1


def test_the_option_furthest_beyond_the_usual_is_named():
    asked = [cost.Asked("--steps", 300, 100), cost.Asked("--width", 100, 50, power=2.0)]
    assert cost.furthest(*asked).option == "--width"
    assert cost.furthest(*asked, cost.Asked("--depth", 10, 2)).option == "--depth"
    assert cost.furthest(cost.Asked("--draws", -5, 1), cost.Asked("--points", 1, 200)).value == 1


def test_landscapes_are_weighed_by_lines_and_planes():
    from epsrank.numerics.sweeps import Trial
    from epsrank.numerics.sweeps.cost import trial_cost

    train = {"task": "cosines", "width": 50, "depth": 2, "steps": 100}
    settings = {"train": train, "arms": ["default", "structured"], "lines": 10, "grid": 21}
    usual = trial_cost(Trial("landscape", settings))
    assert 0 < usual.seconds < 60
    assert trial_cost(Trial("landscape", settings | {"grid": 10**5})).seconds > 7200
    assert trial_cost(Trial("landscape", settings | {"grid": 10**5})).memory >= 1e12
    assert trial_cost(Trial("landscape", settings | {"lines": 10**9})).memory > 1e12
    assert trial_cost(Trial("small-weights", {"width": 9})).seconds == 0
    assert trial_cost(Trial("landscape", {"lines": 1})).seconds == 0  # refused when it is run


def test_trials_without_an_estimate_take_what_is_on_record(tmp_path):
    from epsrank.cli.reproduce import _seconds_on_record
    from epsrank.numerics.experiments.registry import experiment
    from epsrank.numerics.sweeps import Trial, TrialStore
    from epsrank.theory.errors import InputError

    held = _seconds_on_record([experiment("B3")], "standard")
    assert set(held) == {"condensing"}
    assert held["condensing"] > 0
    assert _seconds_on_record([experiment("B3")], "quick") == {}
    store = TrialStore(tmp_path / "store")
    many = [Trial("condensing", {"seed": seed}) for seed in range(10)]
    asked = {"jobs": 1, "yes": False}
    cost.weigh_trials("ID", "B3", many, store, **asked, on_record=lambda: {"condensing": 60.0})
    with pytest.raises(InputError, match=r"B3 of 10 trials.* about 3 hours"):
        cost.weigh_trials(
            "ID", "B3", many, store, **asked, on_record=lambda: {"condensing": 1080.0}
        )


def test_a_boundary_value_problem_takes_longer_than_a_function():
    from epsrank.numerics.sweeps import Trial
    from epsrank.numerics.sweeps.cost import trial_cost

    usual = {"width": 50, "depth": 2, "n_train": 900, "steps": 7500}
    fitted, posed = (
        trial_cost(Trial("pretraining", {"task": task, **usual})).seconds
        for task in ("cosines", "poisson")
    )
    # 17 ms a step were measured.
    assert 60 < posed < 300
    assert posed > 5 * fitted


def test_the_chains_of_a_network_of_yours_are_weighed(monkeypatch):
    from torch import nn

    from epsrank.cli.estimates import weigh_model

    data = (np.empty((3 * 10**6, 1)), None)
    weigh_model(nn.Linear(1000, 1), data, samples=2000, moments=0, yes=False)
    for samples, moments, width, memory, said in (
        (10**7, 0, 3000, 1e13, "--max-samples is 3000000 with 3000000 × 3000"),
        (2000, 10**6, 500, 1e13, "--checkpoints is 1000000 with 2000 × 5"),
        (2000, 0, 200_000, 1e9, "--model is 200000 with 2000 × 200000 numbers"),
    ):
        monkeypatch.setattr(cost, "machine_memory", lambda memory=memory: memory)
        model = nn.Linear(width, 1, device="meta")
        with pytest.raises(ValueError, match=said):
            weigh_model(model, data, samples=samples, moments=moments, yes=False)


def test_figures_of_many_rows_are_weighed():
    from epsrank.cli.estimates import weigh_figures

    weigh_figures("100 runs", figures=600, points=10**6, yes=False)
    weigh_figures("1 run", figures=6, points=10**9, yes=True)
    for figures, points in ((6, 10**9), (10**5, 10)):
        with pytest.raises(ValueError, match=f"RUN is 1 run, {figures} figures of {points} rows"):
            weigh_figures("1 run", figures=figures, points=points, yes=False)


def test_krylov_spaces_beyond_memory_are_refused(monkeypatch):
    """Of 8·steps·n bytes; nothing is made before."""
    import torch

    from epsrank.numerics import boundary
    from epsrank.numerics.phenomena.curvature import SpectralDensity
    from epsrank.numerics.phenomena.lanczos import lanczos

    monkeypatch.setattr(boundary, "available_memory", lambda: 10**9)
    start = torch.ones(10**6)
    with pytest.raises(
        ValueError, match=r"steps is 1000, which keeps as many vectors of 1000000 p"
    ):
        lanczos(lambda v: 1 / 0, start, steps=1000)
    lanczos(lambda v: 2 * v, start[:10], steps=10**12)
    density = SpectralDensity(np.zeros((4, 40)), np.ones((4, 40)), 9)
    with pytest.raises(ValueError, match="grid is 1000000, which keeps"):
        density.density(np.zeros(10**6), 0.1)


def test_many_runs_are_weighed_before_their_stages():
    from epsrank.cli.estimates import weigh_stages
    from epsrank.numerics.stages.axis import axis_of

    run = axis_of({"step": np.arange(200.0), "loss": np.ones(200)}, name="run")
    weigh_stages([run] * 1000, yes=False)
    with pytest.raises(
        ValueError, match="SOURCE is 100000 runs of up to 200 rows, which takes about"
    ):
        weigh_stages([run] * 100_000, yes=False)
    weigh_stages([run] * 100_000, yes=True)


def test_a_verification_that_has_begun_is_not_asked_about(tmp_path):
    from epsrank.cli.estimates import weigh_verification

    for claims in ((), ("tail",)):
        weigh_verification("standard", claims, 1, str(tmp_path / "new"), yes=False)
    weigh_verification("full", ("tail",), 1, str(tmp_path / "new"), yes=False)
    (tmp_path / "kept").mkdir()
    weigh_verification("full", (), 1, str(tmp_path), yes=False)


def test_whoever_says_yes_may_wait_but_not_overfill(monkeypatch):
    cost.weigh("--steps", 9, seconds=1e9, yes=True)
    cost.weigh("--steps", 9, seconds=7000, memory=1e6, disk=1e6, yes=False, folder=Path("new/one"))
    for there in (1e9, None):
        monkeypatch.setattr(cost, "machine_memory", lambda there=there: there)
        cost.weigh("--width", 9, memory=1e8, yes=False)
    monkeypatch.setattr(cost, "machine_memory", lambda: 1e9)
    with pytest.raises(ValueError, match=r"needs 2 GB of memory or more, and there are 1 GB"):
        cost.weigh("--width", 9, memory=2e9, yes=True)
    with pytest.raises(ValueError, match=r"takes about 3 hours; choose less, or pass --yes to"):
        cost.weigh("--steps", 9, seconds=3 * 3600, yes=False)


def test_usual_trainings_are_not_asked_about(tmp_path):
    from epsrank.numerics.training import RunConfig

    for settings in (
        {},
        {"task": "mnist", "width": 128, "depth": 3, "steps": 20_000, "batch_size": 128},
        {"network": "cnn", "task": "cifar10", "width": 64, "depth": 4, "batch_size": 128},
    ):
        cost.weigh_training(RunConfig(**settings), tmp_path, yes=False)


def test_several_trainings_without_a_folder_get_one_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    barrier, folders = threading.Barrier(8), []

    def begin():
        barrier.wait()
        with _folder("cosines", None) as folder:
            (folder / "config.toml").touch()
            folders.append(folder)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(folders)) == 8
    with _folder("digits", None) as unused:
        pass
    assert not unused.exists()
    assert (tmp_path / "runs" / "cosines").is_dir()


def test_sweeps_are_asked_about_until_they_have_begun(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"task": "cosines", "width": 3, "depth": 1, "steps": 2, "n_train": 20}
    text = "".join(f"{name} = {value!r}\n" for name, value in settings.items())
    Path("SPEC.toml").write_text(f"seeds = 2\n[fixed]\n{text}".replace("'", '"'))
    honest = trials.training_cost
    # A core that takes an hour and a half for a training.
    monkeypatch.setattr(
        trials, "training_cost", lambda config: replace(honest(config), seconds=5400.0)
    )
    call = ["sweep", "SPEC.toml", "--jobs", "1"]
    done = CliRunner().invoke(main, call)
    assert done.exit_code == 2
    assert done.stderr == (
        "epsrank: error: SPEC is SPEC.toml of 2 trials, which takes about 3 hours; choose less, "
        "or pass --yes to go on\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["SPEC.toml"]
    assert CliRunner().invoke(main, [*call, "--yes"]).exit_code == 0
    # What has begun was agreed to.
    assert CliRunner().invoke(main, call).exit_code == 0
    # Of a cluster neither memory nor cores are known here.
    done = CliRunner().invoke(main, [*call, "--backend", "dask", "--out", "elsewhere"])
    assert "SPEC.toml of 2 trials on 1 core of the cluster, which takes about 3 h" in done.stderr
    done = CliRunner().invoke(main, ["reproduce", "A1", "A3", "--jobs", "1", "--out", "r"])
    assert done.exit_code == 2
    assert "ID is A1 A3 at size quick of " in done.stderr
    assert "days; choose less, or pass --yes" in done.stderr
    assert not Path("r").exists()


def test_no_wish_for_paper_is_passed_over():
    from epsrank.cli.paper import paper_of

    nothing = {"columns": None, "font": None, "size": None, "greyscale": False}
    with paper_of(nothing):
        pass
    for wish in ({"size": 0.0}, {"columns": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wish))} is 0"):
            paper_of(nothing | wish)
