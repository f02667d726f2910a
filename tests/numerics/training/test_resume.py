"""A run interrupted anywhere, in any way, goes on to the same bits."""

import os
import shutil
import signal

import pytest
import torch

import epsrank.numerics.manifest
import epsrank.numerics.training.state
from epsrank.numerics.checkpoint.runs import layer_of_run
from epsrank.numerics.training import RunConfig, load_run, making, train
from epsrank.numerics.training.folder import PREVIOUS
from epsrank.numerics.training.tensors import flatten, read_tensors, unflatten
from epsrank.theory.errors import InputError
from tests.processes import Child

OPTIMIZERS = ["sgd", "momentum", "adam", "adamw", "lbfgs"]


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.fixture(autouse=True)
def _save_at_every_step(monkeypatch):
    monkeypatch.setattr("epsrank.numerics.training.making._SAVE_SECONDS", 0.0)
    monkeypatch.setattr("epsrank.numerics.training.making._SAVE_SHARE", 0.0)


def config(**changes):
    base = {"width": 6, "depth": 2, "n_train": 30, "steps": 14, "measure_every": 3}
    return RunConfig(**(base | {"device": "cpu", "eps": (1e-6,)} | changes))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the folder of a run that nothing interrupts, made once for each configuration."""
    made = {}

    def run(settings):
        key = settings.to_toml()
        if key not in made:
            made[key] = tmp_path_factory.mktemp("whole") / "run"
            train(settings, made[key])
        return made[key]

    return run


def bits(path):
    """Everything that a run leaves behind, to the bit."""
    run = load_run(path)
    files = [path / "weights.safetensors", *sorted((path / "checkpoints").iterdir())]
    weights = {file.name: file.read_bytes() for file in files}
    return run.table(), run.spectra(), weights, run.status, run.step, run.cause


def assert_same(one, two):
    for mine, other in zip(bits(one), bits(two), strict=True):
        assert mine.equals(other) if hasattr(mine, "equals") else mine == other


@pytest.mark.parametrize(
    ("optimizer", "dtype", "batch_size"),
    [(name, "float64", size) for name in OPTIMIZERS for size in (None, 8)]
    + [("adam", "float32", 8), ("lbfgs", "float32", None)],
)
def test_stopped_and_resumed_twice(optimizer, dtype, batch_size, tmp_path, whole):
    settings = config(optimizer=optimizer, dtype=dtype, batch_size=batch_size, steps=8)
    part = train(settings, tmp_path / "parts", stop_after=4)
    assert (part.status, part.step, len(part.records)) == ("stopped", 4, 2)
    train(settings, tmp_path / "parts", resume=True, stop_after=6)
    assert train(settings, tmp_path / "parts", resume=True).status == "complete"
    assert_same(whole(settings), tmp_path / "parts")


def test_the_comparison_notices_a_forgotten_optimiser(tmp_path, monkeypatch):
    settings = config(optimizer="momentum", batch_size=8)
    train(settings, tmp_path / "whole")
    train(settings, tmp_path / "parts", stop_after=5)
    monkeypatch.setattr(torch.optim.SGD, "load_state_dict", lambda self, state: None)
    train(settings, tmp_path / "parts", resume=True)
    with pytest.raises(AssertionError):
        assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("step", [0, 1, 3, 7, 14])
def test_interrupt_from_the_callback(step, tmp_path, whole):
    def interrupt(now, total, record):
        if now == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path / "parts", progress=interrupt)
    train(config(), tmp_path / "parts", resume=True)
    assert_same(whole(config()), tmp_path / "parts")


def killed_at_every_single_write(moment, tmp_path, monkeypatch, steps=3):
    """Whatever the last file was, the folder is readable, and the run goes on to the same bits."""
    settings = config(steps=steps, measure_every=2)
    replace = os.replace
    count = 0

    def counting(source, target):
        nonlocal count
        count += 1
        replace(source, target)

    monkeypatch.setattr("os.replace", counting)
    train(settings, tmp_path / "whole")
    writes = count
    assert writes > 15
    for fatal in range(1, writes + 1):
        left = fatal

        def killing(source, target):
            nonlocal left
            left -= 1
            if left == 0 and moment == "before":
                raise Killed
            replace(source, target)
            if left == 0:
                raise Killed

        path = tmp_path / f"killed-{fatal}"
        monkeypatch.setattr("os.replace", killing)
        with pytest.raises(Killed):
            train(settings, path)
        monkeypatch.setattr("os.replace", replace)
        if (path / "config.toml").is_file():
            load_run(path).table()
        train(settings, path, resume=True)
        assert_same(tmp_path / "whole", path)
        assert not list(path.rglob("*.part"))


def test_killed_before_every_single_write(tmp_path, monkeypatch):
    """After each of them: tests/slow, since that is before the next but for what is only read."""
    killed_at_every_single_write("before", tmp_path, monkeypatch, steps=2)


def struck(folder, name):
    """Train, and be struck by a signal in the seventh step."""

    def strike(step, total, record):
        if step == 7:
            os.kill(os.getpid(), getattr(signal, name))

    making._SAVE_SECONDS = making._SAVE_SHARE = 0.0
    config = RunConfig.from_toml(folder.with_suffix(".toml"))
    train(config, folder, progress=strike)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_process_killed_by_a_signal(name, tmp_path, whole):
    settings = config(optimizer="adam", batch_size=8)
    (tmp_path / "parts.toml").write_text(settings.to_toml())
    code, printed = Child(struck, tmp_path / "parts", name).ended()
    if name == "SIGINT":
        assert "KeyboardInterrupt" in printed
    else:
        assert code == -getattr(signal, name)
    interrupted = load_run(tmp_path / "parts")
    assert interrupted.status == "stopped"
    assert interrupted.step == 7
    assert ("signal" in interrupted.cause) == (name != "SIGKILL")
    train(settings, tmp_path / "parts", resume=True)
    assert_same(whole(settings), tmp_path / "parts")


def test_handlers_are_as_before_afterwards():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    train(config(steps=1))
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_resume_begins_where_there_is_nothing_and_returns_what_is_done(tmp_path):
    run = train(config(), tmp_path / "run", resume=True)
    stamp = (tmp_path / "run" / "history.parquet").stat().st_mtime_ns
    again = train(config(), tmp_path / "run", resume=True)
    assert again.to_json() == run.to_json()
    assert (tmp_path / "run" / "history.parquet").stat().st_mtime_ns == stamp


def test_occupied_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="resume=True"):
        train(config(), tmp_path)
    with pytest.raises(InputError, match="holds files but no run"):
        train(config(), tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_other_settings(tmp_path):
    train(config(), tmp_path, stop_after=3)
    with pytest.raises(InputError, match=r"width 6 → 7") as caught:
        train(config(width=7), tmp_path, resume=True)
    assert caught.value.argument == "config"


def test_other_data(tmp_path, monkeypatch):
    train(config(), tmp_path, stop_after=3)
    monkeypatch.setattr("epsrank.numerics.tasks.task.Task.fingerprint", lambda self: "other")
    with pytest.raises(InputError, match="when the run was interrupted"):
        train(config(), tmp_path, resume=True)
    with pytest.raises(InputError, match="not those of the run"):
        _ = load_run(tmp_path).task


def test_resume_without_a_folder():
    with pytest.raises(InputError, match="without out"):
        train(config(), resume=True)


def test_folder_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        train(config(), tmp_path / "file" / "run")
    assert caught.value.argument == "out"


def test_full_disk_is_one_line_and_resumable(tmp_path, monkeypatch, whole):
    replace = os.replace
    left = 12

    def full(source, target):
        nonlocal left
        left -= 1
        if left <= 0:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match="No space left") as caught:
        train(config(), tmp_path / "parts")
    assert "\n" not in str(caught.value)
    monkeypatch.setattr("os.replace", replace)
    train(config(), tmp_path / "parts", resume=True)
    assert_same(whole(config()), tmp_path / "parts")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (file, content)
        for file in ("state/state.json", "history.parquet", "spectra.parquet", "config.toml")
        for content in (b"", b"{}", b"\xff\x00 not it")
        if (file, content) != ("config.toml", b"")  # an empty TOML file is all defaults
    ],
)
def test_damaged_files_are_refused_in_one_line(file, content, tmp_path):
    train(config(steps=2), tmp_path)
    (tmp_path / PREVIOUS).unlink(missing_ok=True)  # which would be used in place of a later one
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_run(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"junk" * 50])
def test_damaged_tensors(content, tmp_path):
    run = train(config(steps=2), tmp_path)
    for path in [
        *(tmp_path / "state").glob("*.safetensors"),
        *(tmp_path / "checkpoints").iterdir(),
    ]:
        path.unlink() if content is None else path.write_bytes(content)
    if content is not None:
        with pytest.raises(InputError, match="is not what was written"):
            load_run(tmp_path).last_layer(0)
    (tmp_path / "epsrank.json").unlink()  # a run from before there were checksums
    with pytest.raises(InputError, match="is missing" if content is None else "cannot be read"):
        load_run(tmp_path).last_layer(0)
    with pytest.raises(InputError, match="is missing" if content is None else "cannot be read"):
        train(run.config, tmp_path, resume=True)


def test_the_last_whole_state_is_used_and_said(tmp_path, monkeypatch):
    """Either file of the last state is damaged: the run goes on from the one before."""
    monkeypatch.setattr(epsrank.numerics.manifest, "_PAUSE", 0.0)
    settings = config(optimizer="momentum", batch_size=8)
    whole = train(settings, tmp_path / "whole")
    train(settings, tmp_path / "parts", stop_after=9)
    for number, damaged in enumerate(("state.json", "step_00000009.safetensors")):
        place = tmp_path / f"parts-{number}"
        shutil.copytree(tmp_path / "parts", place)
        content = bytearray((place / "state" / damaged).read_bytes())
        content[-9] ^= 1
        (place / "state" / damaged).write_bytes(bytes(content))
        with pytest.warns(UserWarning, match=rf"{damaged} is not what .* the state before it .* 8"):
            again = train(settings, place, resume=True)
        assert again.to_json() == whole.to_json()
        assert_same(tmp_path / "whole", place)


def test_a_damaged_checkpoint_is_refused_and_the_last_whole_one_named(tmp_path, monkeypatch):
    monkeypatch.setattr(epsrank.numerics.manifest, "_PAUSE", 0.0)
    run = train(config(steps=4, measure_every=2), tmp_path)
    place = tmp_path / "checkpoints" / "step_00000004.safetensors"
    content = bytearray(place.read_bytes())
    content[-9] ^= 1
    place.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"step_00000004.*take index -2, the last whole one"):
        run.network()
    with pytest.warns(UserWarning, match="the last whole checkpoint is used, of step 2"):
        assert run.last_whole() == 1
    with pytest.warns(UserWarning, match="of step 2"):
        assert layer_of_run(tmp_path).label.endswith("at step 2, hidden layer 2")
    with pytest.raises(InputError, match="take index -2"):
        layer_of_run(tmp_path, 2)


def test_no_run(tmp_path):
    with pytest.raises(InputError, match=r"holds no config\.toml"):
        load_run(tmp_path)


def test_nothing_is_pickled(tmp_path):
    train(config(optimizer="lbfgs"), tmp_path, stop_after=5)
    for path in (tmp_path / "state").glob("*.safetensors"):
        names = set(read_tensors(path))
        assert any(name.startswith("optimizer.state.0.old_dirs") for name in names)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {
        ".toml",
        ".parquet",
        ".safetensors",
        ".json",
    }


def test_tree_round_trip_and_refusal():
    tree = {0: {"a": [1, None, (2.5, "x")], "b": torch.arange(3)}, "c": [True, 0.1 + 0.2]}
    tensors = {}
    again = unflatten(flatten(tree, tensors, "t"), tensors)
    assert list(tensors) == ["t.0.b"]
    assert torch.equal(again[0].pop("b"), tree[0].pop("b"))
    assert again == tree
    assert isinstance(again[0]["a"][2], tuple)
    with pytest.raises(TypeError, match="is a set"):
        flatten({"s": {1}}, {}, "t")


def test_state_names_why_it_stopped(tmp_path):
    train(config(), tmp_path, stop_after=2)
    progress = epsrank.numerics.training.state.read_progress(tmp_path)
    assert (progress.step, progress.cause) == (2, "asked to stop after step 2")
