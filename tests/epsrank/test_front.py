"""Exit codes, one-line errors and quick starts, as scripts see them."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import epsrank
from epsrank.cli import main
from epsrank.cli.console import live_progress
from epsrank.cli.front import Command, Front, Interrupted, is_number
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import nulled

ROOT = Path(__file__).parents[2]


def run(*words: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "epsrank"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}  # the poorest terminal
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, env=environment, cwd=ROOT
    )


def raising(error: BaseException) -> Front:
    @click.command()
    def job() -> None:
        raise error

    return Front(name="epsrank", commands=[job])


def test_import_and_help_are_light() -> None:
    for code in (
        "import epsrank; epsrank.__version__; dir(epsrank)",
        "from click.testing import CliRunner; from epsrank.cli import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        "assert CliRunner().invoke(main, ['rank', '--help']).exit_code == 0",
    ):
        heavy = "{'torch', 'sympy', 'scipy', 'numpy', 'matplotlib', 'rich', 'flint'}"
        done = run(code=f"{code}; import sys; print(sorted({heavy} & set(sys.modules)))")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "[]\n"


def test_every_public_name_can_be_imported() -> None:
    for name in epsrank.__all__:
        assert getattr(epsrank, name) is not None
    assert set(epsrank.__all__) <= set(dir(epsrank))
    with pytest.raises(AttributeError, match="no attribute 'epsilon_rnak'"):
        epsrank.epsilon_rnak  # noqa: B018


def test_public_names_agree_with_their_declaration() -> None:
    names = set(epsrank._HOMES)
    assert names | {"__version__"} == set(epsrank.__all__)


def test_module_and_help_pages() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for name, command in main.commands.items():
        assert name in done.stdout
        page = CliRunner().invoke(main, [name, "--help"])
        assert page.exit_code == 0
        assert "Parameters" not in page.output
        assert command.get_short_help_str()
    assert run("--version").stdout == f"epsrank {epsrank.__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["rnak"],
        ["rank"],
        ["rank", "--nonsense"],
        ["rank", "a.npy", "--measure", "median"],
        ["rank", "a.npy", "--eps"],
        ["rank", "a.npy", "--eps", "small"],
        ["rank", "missing.npy"],
        ["rank", "a.npy", "b.npy"],
        ["floor", "a.npy"],
    ],
)
def test_bad_use_is_one_line_and_code_2(words: list[str]) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("epsrank: error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) > 30


def test_bad_input_from_outside_is_one_line_without_traceback(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, np.nan]]))
    done = run("rank", str(tmp_path / "a.npy"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("epsrank: error: ")
    assert "1 non-finite entry, the first NaN at index (0, 1)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("--eps", "is 0", "pass 1e-6"), 2, "error: --eps is 0; pass 1e-6"),
        (InputError("a", "is\nlong", "b"), 2, "error: a is long; b"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 2, "error: x: No space left on de"),
        (MemoryError(), 2, "error: out of memory; use fewer samples or features"),
        (KeyboardInterrupt(), 130, "interrupted; nothing was written"),
        (Interrupted("kept 3 steps"), 130, "kept 3 steps"),
    ],
)
def test_expected_failures(error: BaseException, code: int, line: str) -> None:
    done = CliRunner().invoke(raising(error), ["job"])
    assert done.exit_code == code
    # click itself ends the line of the terminal's ^C first
    assert done.stderr.strip().startswith(f"epsrank: {line}")
    assert done.stderr.strip().count("\n") == 0


def test_a_programming_error_keeps_its_traceback() -> None:
    done = CliRunner().invoke(raising(ZeroDivisionError()), ["job"])
    assert isinstance(done.exception, ZeroDivisionError)


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    code = (
        "import os, sys; reader, writer = os.pipe(); os.dup2(writer, 1); os.close(writer); "
        "os.close(reader); sys.argv = ['epsrank', 'rank', sys.argv[1], '--json']; "
        "from epsrank.cli import main; main()"
    )
    done = run(str(tmp_path / "a.npy"), code=code)
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "epsrank", "rank", str(tmp_path / "a.npy")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["epsrank: error: No space left on device"]


def test_a_closed_stdout_is_no_crash(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    code = (
        "import sys; sys.stdout = None; sys.argv = ['epsrank', 'rank', sys.argv[1]]; "
        "from epsrank.cli import main; main()"
    )
    done = run(str(tmp_path / "a.npy"), code=code)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_ends_with_130() -> None:
    code = (
        "import click, time\nfrom epsrank.cli.front import Front\n"
        "@click.command()\ndef job():\n  print('ready', flush=True)\n  time.sleep(30)\n"
        "Front(name='epsrank', commands=[job])(['job'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip() == "epsrank: interrupted; nothing was written"


def test_list_options_take_several_values() -> None:
    seen: list[object] = []

    @click.command(cls=Command, lists={"--eps": is_number})
    @click.argument("files", nargs=-1)
    @click.option("--eps", type=float, multiple=True)
    @click.option("--flag", is_flag=True)
    def job(files: tuple[str, ...], eps: tuple[float, ...], flag: bool) -> None:
        seen.append((files, eps, flag))

    for words in (
        "--eps 1 2 f --flag g",
        "f g --eps 1 --flag --eps 2",
        "f --flag g --eps=1 2",
        "--flag --eps 1 --eps 2 -- f g",
    ):
        CliRunner().invoke(Front(name="epsrank", commands=[job]), ["job", *words.split()])
    assert seen == [(("f", "g"), (1.0, 2.0), True)] * 4


def test_json_has_no_nan() -> None:
    value = {"a": np.float64("nan"), "b": (np.int64(2), float("inf")), "c": np.array([1.0, np.nan])}
    assert (
        json.dumps(nulled(value), allow_nan=False)
        == '{"a": null, "b": [2, null], "c": [1.0, null]}'
    )


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("epsrank.cli.console.time.monotonic", lambda: now)
    with live_progress("checks") as move:
        for second in range(4001):
            now = float(second)
            move(second, 4000, "a claim" if second == 10 else "")
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == [
        "epsrank: checks 10 of 4000, 10 s: a claim",
        "epsrank: checks 20 of 4000, 20 s",
    ]
    assert said[-1] == "epsrank: checks 4000 of 4000, 4000 s"
    # One in ten seconds at first, and later fewer.
    assert 100 < len(said) < 200
    with live_progress("checks") as move:
        move(1, 1, "")
    assert capsys.readouterr().err == ""
