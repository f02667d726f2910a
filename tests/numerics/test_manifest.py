"""Folders of ours say what they are, and a changed file of theirs is seen."""

from __future__ import annotations

import json
import os
import random
import sys
import warnings

import pytest
from click.testing import CliRunner

from epsrank import InputError, RunConfig, load_pruned, load_run, train
from epsrank.cli import main
from epsrank.cli.watch import RunSource
from epsrank.numerics.files import write_text
from epsrank.numerics.manifest import FORMAT, MANIFEST, Manifest, folder_kind, read_checked

CONFIG = RunConfig(task="cosines", width=6, depth=1, steps=8, n_train=20, measure_every=2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "a"
    train(CONFIG, folder)
    return folder


def copy(folder, place):
    for path in folder.rglob("*"):
        if path.is_file():
            target = place / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return place


def everything(folder):
    """Use every file of a run: tables, state, weights of all measurements."""
    run = load_run(folder)
    return (
        [record.loss for record in run.records],
        [run.last_layer(index).features.sum() for index in range(len(run.records))],
        train(run.config, folder, resume=True).step,
    )


def test_a_run_knows_its_files(finished, tmp_path):
    held = json.loads((finished / MANIFEST).read_text("utf-8"))
    assert (held["kind"], held["format"]) == ("run", FORMAT)
    files = {p.relative_to(finished).as_posix() for p in finished.rglob("*") if p.is_file()}
    assert files - {MANIFEST} <= set(held["files"])
    assert folder_kind(finished) == "run"
    assert everything(copy(finished, tmp_path / "b")) == everything(finished)


def test_no_flipped_bit_gives_another_number(finished, tmp_path):
    """Files of a run, changed at random places: refused by name, or without effect.

    Two thousand such changes are in tests/slow.
    """
    expected = everything(finished)
    rng = random.Random(0)
    files = sorted(p.relative_to(finished) for p in finished.rglob("*") if p.is_file())
    refused = 0
    for number in range(16):
        name = files[number % len(files)]
        folder = copy(finished, tmp_path / str(number))
        data = bytearray((folder / name).read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(bytes(data))
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                assert everything(folder) == expected, name
            # Where there is a state before it, that one is used, to the same numbers.
            refused += any(name.name in str(entry.message) for entry in said)
        except InputError as error:
            refused += name.name in str(error)
    # What no one reads (the weights beside the last state) may be changed without being seen.
    assert refused >= 12


def test_a_run_of_format_1_is_read_and_continued(finished, tmp_path):
    old = copy(finished, tmp_path / "old")
    (old / MANIFEST).unlink()
    assert folder_kind(old) == "run"
    assert everything(old) == everything(finished)
    # Once it is written to, its files are taken over: what is changed from then on is seen.
    Manifest(old, "run").write()
    assert everything(old) == everything(finished)
    (old / "config.toml").write_text((old / "config.toml").read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(InputError, match=r"config\.toml is not what was written"):
        load_run(old)


def test_later_formats_and_damaged_manifests_are_one_line(finished, tmp_path):
    later = copy(finished, tmp_path / "later")
    held = json.loads((later / MANIFEST).read_text("utf-8"))
    (later / MANIFEST).write_text(json.dumps(held | {"format": FORMAT + 1}), "utf-8")
    with pytest.raises(
        InputError, match=f"is of format {FORMAT + 1}; this version reads"
    ) as caught:
        load_run(later)
    assert "is damaged" not in str(caught.value)
    (later / MANIFEST).write_text("{", "utf-8")
    with pytest.raises(InputError, match=r"epsrank\.json is damaged"):
        load_run(later)


def test_a_kill_between_announcing_and_replacing_leaves_both_readable(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path, "run")
    path = tmp_path / "config.toml"
    write_text(path, "first", manifest=manifest)

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("epsrank.numerics.atomic.os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_text(path, "second", manifest=manifest)
    assert read_checked(tmp_path, "config.toml") == b"first"
    write_text(path, "third", manifest=Manifest(tmp_path, "run"))
    assert read_checked(tmp_path, "config.toml") == b"third"
    path.write_text("other", "utf-8")
    with pytest.raises(InputError, match="not what was written"):
        read_checked(tmp_path, "config.toml")


def test_folders_are_told_apart(finished, tmp_path):
    Manifest(tmp_path / "s", "sweep")
    (tmp_path / "s").mkdir()
    Manifest(tmp_path / "s", "sweep").write()
    assert folder_kind(tmp_path / "s") == "sweep"
    assert folder_kind(tmp_path) is None
    with pytest.raises(InputError, match="the folder of a sweep; pass a folder of a run"):
        load_run(tmp_path / "s")
    with pytest.raises(InputError, match="the folder of a sweep; pass a folder that `prune` wrote"):
        load_pruned(tmp_path / "s")
    with pytest.raises(InputError, match="the folder of a sweep"):
        RunSource(tmp_path / "s").poll()
    with pytest.raises(InputError, match="the folder of a sweep; choose another folder"):
        train(CONFIG, tmp_path / "s")
    with pytest.raises(InputError, match="the folder of a run; choose another folder"):
        Manifest(finished, "verification")


@pytest.mark.parametrize("name", ["history.parquet", "spectra.parquet", "config.toml"])
def test_a_file_that_is_gone_is_missed(finished, tmp_path, name):
    folder = copy(finished, tmp_path / "gone")
    (folder / name).unlink()
    with pytest.raises(InputError, match=r"is missing|holds no config\.toml"):
        load_run(folder)
    with pytest.raises(InputError, match=r"is missing|holds files but no run"):
        train(CONFIG, folder, resume=True)


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": "2"}', '{"format": 2}'])
def test_manifests_of_another_shape_are_damaged(finished, tmp_path, content):
    folder = copy(finished, tmp_path / "shape")
    (folder / MANIFEST).write_text(content, "utf-8")
    with pytest.raises(InputError, match=r"epsrank\.json is damaged \(it"):
        load_run(folder)


def test_a_picture_that_cannot_be_drawn_costs_no_result(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("epsrank.numerics.plots")]:
        monkeypatch.delitem(sys.modules, name)
    words = ["train", "cosines", "--net", "mlp:1x6", "--steps", "4", "--out", str(tmp_path / "r")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "picture: none, matplotlib cannot be imported" in done.output
    assert "pip install 'epsrank[plots]'" in done.output
    assert "test loss" in done.output


def test_a_command_says_in_one_line_that_the_last_checkpoint_is_damaged(finished, tmp_path):
    folder = copy(finished, tmp_path / "run")
    place = folder / "checkpoints" / "step_00000008.safetensors"
    content = bytearray(place.read_bytes())
    content[-9] ^= 1
    place.write_bytes(bytes(content))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        done = CliRunner().invoke(main, ["rank", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    (said,) = done.stderr.splitlines()
    assert said.startswith("epsrank: ")
    assert said.endswith("the last whole checkpoint is used, of step 6")
    assert json.loads(done.stdout)["ranks"]
    asked = CliRunner().invoke(main, ["rank", f"{folder}@4"])
    assert asked.exit_code == 2
    assert "take index -2, the last whole one before it" in asked.stderr


def test_texts_may_name_files_that_are_no_text(tmp_path):
    """Bytes of a name that are no UTF-8 are half a pair in Python; JSON has an escape for them."""
    name = os.fsdecode(b"\xff.toml")
    write_text(tmp_path / "ledger.json", json.dumps({"file": name}, ensure_ascii=False))
    assert json.loads((tmp_path / "ledger.json").read_text("utf-8")) == {"file": name}
