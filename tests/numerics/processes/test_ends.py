"""What ends with a process: its children, its locks, its temporary folders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from epsrank.numerics.processes import scratch
from epsrank.numerics.processes.locks import FolderLock, only_writer
from epsrank.numerics.processes.parent import ending_with_us
from epsrank.numerics.processes.signals import terminated_as_interrupted
from epsrank.theory.errors import InputError
from tests.numerics.processes.test_pool import lives, until

# Python warns where torch has threads, which these children do not touch.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")


@linux
def test_a_program_ends_with_the_process_that_started_it(tmp_path):
    # As a worker that runs Coq, and is killed.
    code = (
        "import os, subprocess, sys, time\n"
        f"sys.path[:] = {sys.path!r}\n"
        "from epsrank.numerics.processes.parent import ending_with_us\n"
        "other = subprocess.Popen(ending_with_us(['sleep', '60']))\n"
        "print(other.pid, flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        other = int(process.stdout.readline())
        assert until(lambda: b"sleep" in Path(f"/proc/{other}/cmdline").read_bytes()[:6])
        process.kill()
    assert until(lambda: not lives(other))


def test_a_program_is_the_one_asked_for():
    done = subprocess.run(
        ending_with_us([sys.executable, "-c", "import sys; print(sys.argv[1:])", "a b", "-c"]),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "['a b', '-c']\n"


@linux
def test_a_lock_is_gone_with_its_process(tmp_path):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # holds it until it is killed
        os.write(writer, b"1" if FolderLock(tmp_path).take() else b"0")
        signal.pause()
        os._exit(0)
    assert os.read(reader, 1) == b"1"
    with pytest.raises(InputError, match="another process is writing; wait until"):
        only_writer(tmp_path).__enter__()
    assert not FolderLock(tmp_path).take(shared=True)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with only_writer(tmp_path):
        assert list(tmp_path.iterdir()) == []
    for end in (reader, writer):
        os.close(end)


def test_some_may_share_a_lock_and_one_alone_may_have_it(tmp_path):
    one, two = FolderLock(tmp_path), FolderLock(tmp_path)
    assert one.take(shared=True)
    assert two.take(shared=True)
    assert not two.take()
    one.release()
    assert two.take()
    two.release()
    with only_writer(None):
        pass
    assert FolderLock(tmp_path / "none").take()


def test_temporary_folders_go_and_so_do_those_of_killed_processes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = os.fork()
    if child == 0:  # as one that is killed
        (scratch.new_scratch("run") / "file").touch()
        os._exit(9)
    os.waitpid(child, 0)
    assert [path.name.startswith(f"epsrank-tmp-{child}-") for path in tmp_path.iterdir()] == [True]
    (tmp_path / "epsrank-tmp-of-the-user").mkdir()
    living = tmp_path / f"epsrank-tmp-{os.getpid()}-other"
    living.mkdir()
    one, two = scratch.new_scratch("run"), scratch.new_scratch("run")
    mine = one.parent
    assert {path.name for path in tmp_path.iterdir()} == {
        "epsrank-tmp-of-the-user", living.name, mine.name
    }  # fmt: skip
    scratch.remove_scratch(one)
    assert mine.is_dir()
    with scratch.scratch("inner") as inner:
        assert inner.parent == mine
    scratch.remove_scratch(two)
    assert not mine.exists()


def test_sigterm_is_ctrl_c_where_nobody_else_has_a_say():
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    try:
        with terminated_as_interrupted():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert seen == [1]

    def elsewhere():
        with terminated_as_interrupted():
            seen.append(2)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [1, 2]
