"""The pool: results as they come, errors with their cause, deaths alone, no process left."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from epsrank.numerics.processes import cores
from epsrank.numerics.processes.messages import WorkerTraceback
from epsrank.numerics.processes.pool import Finished, carry_out, in_order
from epsrank.theory.errors import InputError


@pytest.fixture
def kinds(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import process_kinds

    return process_kinds


def lives(process: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_what_becomes_of_calls(kinds, tmp_path):
    log = tmp_path / "log"
    calls = [
        partial(kinds.square, 3),
        kinds.fail,
        partial(kinds.fail, odd=True),
        kinds.leave,
        kinds.secret,
        lambda: None,
        partial(kinds.die, log),
        kinds.threads_and_place,
        partial(kinds.square, 4),
    ]
    found = list(in_order(carry_out(calls, 2)))
    assert [each.index for each in found] == list(range(len(calls)))
    assert (found[0].value, found[8].value) == (9, 16)
    words = [str(each.error) for each in found[1:6]]
    assert words[:3] == ["unlucky", "Odd: one two", "by itself"]
    assert words[3].startswith("its result cannot be sent")
    assert "pickle" in words[4]
    assert isinstance(found[1].error, ValueError)
    assert isinstance(found[1].error.__cause__, WorkerTraceback)
    assert 'raise Odd("one", "two")' in str(found[1].error.__cause__)
    # Once in company and once alone.
    assert found[6].death == "SIGKILL(-9)"
    assert log.read_text() == "xx"
    threads, place, process = found[7].value
    assert threads == "1"
    assert not lives(process)
    # What a killed worker leaves in its temporary folder goes with the pool.
    assert place.startswith(tempfile.gettempdir())
    assert place != tempfile.gettempdir()
    assert not Path(place).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_whoever_stops_early_leaves_no_process(kinds, tmp_path):
    calls = [partial(kinds.start_another, str(tmp_path / "log")), partial(kinds.square, 2)]
    with closing(carry_out(calls, 2)) as stream:
        assert next(stream).value == 4
        assert until((tmp_path / "log").exists)
    processes = [int(word) for word in (tmp_path / "log").read_text().split()]
    assert until(lambda: not any(map(lives, processes)))


def test_one_job_is_done_here_and_in_order():
    seen = []
    stream = carry_out([partial(seen.append, 1), partial(seen.append, 2), partial(int, "x")], 1)
    assert next(stream) == Finished(0, seconds=pytest.approx(0, abs=1))
    assert seen == [1]
    *_, last = stream
    assert isinstance(last.error, ValueError)

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(carry_out([stop], 1))
    assert list(carry_out([])) == []


def test_results_wait_for_those_before_them():
    stream = (Finished(index, index) for index in (2, 0, 3, 1))
    assert [each.value for each in in_order(stream)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("jobs", "tasks", "lent", "started"),
    [(None, 100, 4, 4), (1000, 100, 4, 4), (1000, 3, 8, 3), (2, 100, 8, 2), (2, 0, 8, 1)],
)
def test_no_more_processes_than_tasks_and_cores(monkeypatch, jobs, tasks, lent, started):
    monkeypatch.setattr(cores, "usable_cores", lambda: lent)
    assert cores.workers_for(jobs, tasks) == started


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "2"])
def test_a_number_of_processes_is_checked(jobs):
    with pytest.raises(InputError, match="jobs"):
        cores.asked_for(jobs)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"max": "200000 100000"}, 2),
        ({"max": "50000 100000"}, 1),
        ({"max": "max 100000"}, None),
        ({"quota": "300000", "period": "100000"}, 3),
        ({"quota": "-1", "period": "100000"}, None),
        ({}, None),
    ],
)
def test_a_container_pays_for_some_cores(monkeypatch, tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cores, "_QUOTA", tmp_path / "max")
    monkeypatch.setattr(cores, "_QUOTA_BEFORE", (tmp_path / "quota", tmp_path / "period"))
    assert cores._quota() == expected
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert cores.usable_cores() == (expected or 8)
