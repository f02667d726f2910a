"""`RunRecorder`: loops of the user's as runs; the same numbers as `train`, also after a kill."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from epsrank import History, RankMonitor, RunConfig, RunRecorder, load_results, load_run, train
from epsrank.cli import main
from epsrank.numerics.plots.run_figures import figure_of_run
from epsrank.numerics.tasks import load_task
from epsrank.numerics.training.build import build_network, build_optimizer
from epsrank.theory.errors import InputError

CONFIG = RunConfig(task="chirp", width=6, depth=2, steps=8, n_train=30, device="cpu")


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(1, 7), nn.Tanh(), nn.BatchNorm1d(7), nn.Dropout(0.1), nn.Linear(7, 1)
    )


def loop(recorder, model, optimizer, x, y, until):
    """Make updates up to a step."""
    while recorder.step_count < until:
        optimizer.zero_grad()
        loss = (model(x) - y).square().sum(dim=1).mean()
        loss.backward()
        optimizer.step()
        recorder.step(loss)


def test_a_recorded_loop_has_the_numbers_of_train(tmp_path):
    task = load_task("chirp", n_train=30)
    model = build_network(CONFIG, task)
    optimizer = build_optimizer(CONFIG, model)
    test = (task.x_test, task.y_test)
    with RunRecorder(tmp_path / "a", model, task.x, task.y, steps=8, test=test) as recorder:
        loop(recorder, model, optimizer, task.x, task.y, 8)
    run, other = load_run(tmp_path / "a"), train(CONFIG)
    assert run.status == "complete"
    assert [r.to_json() for r in run.records] == [r.to_json() for r in recorder.records]
    for mine, theirs in zip(run.records, other.records, strict=True):
        assert (mine.step, mine.reading) == (theirs.step, theirs.reading)
        for name in ("loss", "test_loss", "reachable", "envelope"):
            assert getattr(mine, name) == pytest.approx(getattr(theirs, name), rel=1e-9)
        for left, right in zip(mine.layers, theirs.layers, strict=True):
            assert [(r.lower, r.upper) for r in left.ranks] == [
                (r.lower, r.upper) for r in right.ranks
            ]


def test_measuring_changes_nothing_in_the_loop(tmp_path):
    x = torch.linspace(-1, 1, 20)[:, None]
    found = []
    for recorded in (False, True):
        model = network()
        model[2].eval()  # frozen, and to stay so
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        torch.manual_seed(1)
        if recorded:
            given = {"steps": 4, "measure_every": 1}
            with RunRecorder(tmp_path / "a", model, x, x**2, **given) as recorder:
                loop(recorder, model, optimizer, x, x**2, 4)
        else:
            for _ in range(4):
                optimizer.zero_grad()
                (model(x) - x**2).square().sum(dim=1).mean().backward()
                optimizer.step()
        assert (model.training, model[2].training) == (True, False)
        found.append([value.clone() for value in model.state_dict().values()] + [torch.rand(3)])
    assert all(torch.equal(left, right) for left, right in zip(*found, strict=True))


def test_every_command_reads_it_as_its_own(tmp_path):
    x = torch.linspace(-1, 1, 40)[:, None]
    model, settings = network(), {"rate": 0.01, "note": "mine"}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    out = tmp_path / "a"
    given = {"steps": 6, "name": "my loop", "settings": settings}
    with RunRecorder(out, model, x, x**2, **given) as recorder:
        loop(recorder, model, optimizer, x, x**2, 6)
    run = load_run(out)
    for kind in ("floor", "reading"):
        figure_of_run(run, kind)
    assert tomllib.loads((out / "config.toml").read_text())["own"] == settings
    assert "my loop" in str(run)
    assert run.reading().name
    assert isinstance(run.drops(), list)
    [found] = load_results(out).runs
    assert (found.settings["rate"], found.seed) == (0.01, 0)
    assert found.figures["rank_lower"] == run.records[-1].rank().lower
    runner = CliRunner()
    view = runner.invoke(main, ["watch", str(out), "--once"])
    assert view.exit_code == 0, view.output
    for text in ("my loop", "step 6 of 6", "hidden layer 2"):
        assert text in view.output
    done = runner.invoke(main, ["plot", str(out), "--kind", "staircase"])
    assert done.exit_code == 0, done.output
    for words in (["rank", str(out)], ["floor", str(out)], ["rank", f"{out}@0"]):
        done = runner.invoke(main, [*words, "--eps", "1e-4"])
        assert done.exit_code == 0, done.output
    done = runner.invoke(main, ["rank", str(out), "--layer", "1"])
    assert "of a recorded run the last layers alone are kept" in done.output
    done = runner.invoke(main, ["train", "--resume", "--out", str(out)])
    assert done.exit_code == 2
    assert "recorded from a loop of yours; go on in that loop" in done.output
    with pytest.raises(InputError, match=r"its network at step 6 is your code's; make it, and"):
        run.network()
    # Damage is seen as in any run.
    (out / "history.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not what was written"):
        load_run(out)


def test_a_loop_that_ends_early_goes_on_to_the_same_numbers(tmp_path):
    x = torch.linspace(-1, 1, 20, dtype=torch.float64)[:, None]

    def run(place, until, resume=False):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1)).double()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        given = {"steps": 9, "measure_every": 2, "optimizer": optimizer, "resume": resume}
        with RunRecorder(tmp_path / place, model, x, x**2, **given) as recorder:
            begun = recorder.step_count
            loop(recorder, model, optimizer, x, x**2, until)
            if until == 5:
                raise ArithmeticError("power cut")
        return begun, recorder

    whole = run("whole", 9)[1]
    with pytest.raises(ArithmeticError):
        run("cut", 5)
    stopped = load_run(tmp_path / "cut")
    assert (stopped.status, stopped.step) == ("stopped", 5)
    assert stopped.cause == "ArithmeticError: power cut"
    with pytest.raises(InputError, match="which is not empty"):
        run("cut", 9)
    begun, again = run("cut", 9, resume=True)
    assert begun == 5
    records = load_run(tmp_path / "cut").records
    assert [r.to_json() for r in records if r.step % 2 == 0 or r.step == 9] == [
        r.to_json() for r in whole.records
    ]
    assert again.run().status == "complete"


def test_classes_tokens_and_weights(tmp_path):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.act, self.head = nn.Embedding(9, 6), nn.ReLU(), nn.Linear(6, 4)

        def forward(self, x):
            return self.head(self.act(self.words(x)).mean(dim=1))

    x, y = torch.arange(60).reshape(20, 3) % 9, torch.arange(20) % 3
    given = {"steps": 1, "loss": "cross-entropy", "test": (x[:5], y[:5])}
    with RunRecorder(tmp_path / "a", Words(), x, y, **given) as recorder:
        recorder.step(1.0)
    last = load_run(tmp_path / "a").records[-1]
    assert last.test_accuracy is not None
    assert [layer.n_features for layer in last.layers] == [6, 6]
    x = np.linspace(-1, 1, 12)[:, None]
    weights = np.arange(12.0)
    given = {"steps": 1, "weights": weights, "measure": "raw"}
    model = nn.Sequential(nn.Linear(1, 3), nn.Tanh(), nn.Linear(3, 1))
    with RunRecorder(tmp_path / "b", model, x, x[:, 0], **given) as recorder:
        recorder.step()
    error = (model(torch.as_tensor(x).float()).detach().numpy() - x)[:, 0] ** 2
    assert recorder.records[-1].loss == pytest.approx(float(error @ weights), rel=1e-5)
    assert np.isnan(recorder.records[-1].test_loss)


def test_divergence_is_a_result(tmp_path):
    x = torch.ones(4, 1)
    model = nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1))
    with RunRecorder(tmp_path / "a", model, x, x, steps=5) as recorder:
        recorder.step(1.0)
        recorder.step(float("nan"))
        recorder.step(1.0)
    run = load_run(tmp_path / "a")
    assert (run.status, run.cause, run.step) == ("diverged", "the loss is nan at step 2", 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": 3}, "model is a int"),
        ({"model": nn.Linear(7, 1)}, "^x does not run through Linear"),
        ({"x": torch.full((4, 1), float("nan"))}, "x has 4 NaN"),
        ({"x": []}, r"x has shape \(0,\)"),
        ({"x": "abc"}, "x is no array"),
        ({"y": torch.ones(3)}, "y has 3 rows for 4 samples"),
        ({"y": torch.ones(4, 2)}, r"y has shape \(4, 2\), and the network 1 output"),
        ({"loss": "cross-entropy"}, "pass labels 0 … 0 as whole numbers"),
        ({"loss": "hinge"}, "loss is 'hinge'"),
        ({"steps": -1}, "steps is -1"),
        ({"eps": ()}, "pass at least one threshold"),
        ({"test": torch.ones(4)}, "pass a pair x, y"),
        ({"weights": [1.0]}, "weights"),
        ({"measure": "volume"}, "choose 'mean' or 'raw'"),
        ({"settings": {"f": print}}, "settings are not plain values"),
        ({"name": ""}, "pass a line of text"),
        ({"keep_features": 2.0}, "keep_features is 2; pass a number between 0 and 1"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(tmp_path, change, said):
    model = nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1))
    usual = {"model": model, "x": torch.ones(4, 1), "y": torch.ones(4), "steps": 2}
    with pytest.raises(InputError, match=said) as caught:
        RunRecorder(tmp_path / "a", **(usual | change))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_steps_are_those_announced(tmp_path):
    model = nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1))
    with RunRecorder(tmp_path / "a", model, torch.ones(4, 1), torch.ones(4), steps=1) as recorder:
        recorder.step()
        with pytest.raises(InputError, match="announce them all"):
            recorder.step()
    with pytest.raises(InputError, match="is closed"):
        recorder.step()
    recorder.close()


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.mix, self.head = nn.Embedding(9, 3), nn.Linear(5, 6), nn.Linear(6, 1)

    def forward(self, x, kind):
        return self.head(torch.tanh(self.mix(torch.cat([x, self.table(kind)], dim=1))))


@pytest.mark.parametrize("by_name", [False, True])
def test_several_inputs_and_the_history_of_a_monitor(tmp_path, by_name):
    torch.manual_seed(0)
    model = Two()
    x, kind = torch.randn(20, 2), torch.arange(20) % 9
    y = x.sum(dim=1, keepdim=True)
    inputs = {"kind": kind, "x": x} if by_name else (x, kind)
    expected = (model(x, kind) - y).square().mean().item()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = RankMonitor(model, eps=(1e-6,), every=1)
    options = {"steps": 2, "monitor": monitor, "test": (inputs, y)}
    with monitor, RunRecorder(tmp_path / "a", model, inputs, y, **options) as recorder:
        for _ in range(2):
            optimizer.zero_grad()
            loss = (model(x, kind) - y).square().mean()
            loss.backward()
            optimizer.step()
            monitor.step(loss)
            recorder.step(loss)
    run = load_run(tmp_path / "a")
    assert run.records[0].loss == pytest.approx(expected)
    assert run.records[-1].loss == pytest.approx(run.records[-1].test_loss)
    assert set(run.folder.load_checkpoint(2)) == set(model.state_dict())
    kept = History.read(tmp_path / "a" / "monitor.parquet")
    assert [r.step for r in kept] == [r.step for r in monitor.history]
    assert (
        CliRunner().invoke(main, ["watch", str(tmp_path / "a/monitor.parquet"), "--once"]).exit_code
        == 0
    )
    for bad, said in (
        ({"x": (x, kind[:5])}, "parts of .5, 20. samples"),
        ({"monitor": 3}, "monitor is a int"),
        ({"x": ()}, "x is empty"),
    ):
        given = {"x": inputs, "y": y, "steps": 1} | bad
        with pytest.raises(InputError, match=said):
            RunRecorder(tmp_path / "b", model, **given)
