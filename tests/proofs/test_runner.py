"""The runner: verdicts against the record, errors, interruptions, processes, seeds."""

from __future__ import annotations

import json
import math
import os
from functools import partial

import numpy as np
import pytest

from epsrank.numerics.processes.locks import only_writer
from epsrank.numerics.processes.pool import Finished
from epsrank.proofs import kept, runner
from epsrank.proofs.checkers import Checker
from epsrank.proofs.checkers.base import EXAMPLES
from epsrank.proofs.checkers.searches import property_checkers
from epsrank.proofs.ledger.claims import Claim, load_ledger
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.outcome import Report
from epsrank.proofs.runner import verify
from epsrank.theory.errors import InputError


def _claim(name="c", recorded="supported", wanted=("exact", "property"), **more):
    return Claim(name, "A title", "A statement", "x", "here", wanted, recorded, **more)


def _found(state, context, claim="c", kind="property"):
    return [Evidence(claim, kind, state, "looked", {"n": 3})]


def _checker(state, claim="c", name=None):
    return Checker(
        name or f"{state} {claim}", (claim,), "property", partial(_found, state, claim=claim)
    )


def _raise(error, context):
    raise error


def _run(ledger, checkers, **more) -> Report:
    return verify(ledger=ledger, checkers=checkers, jobs=1, **more)


def test_as_recorded_is_exit_code_0():
    report = _run([_claim()], [_checker("passed")])
    assert report.exit_code == 0
    assert report.results[0].verdict == "supported"
    assert "every verdict is as recorded" in report.summary()


@pytest.mark.parametrize(
    ("recorded", "state"),
    [("proved", "passed"), ("open", "passed"), ("supported", "refuted"), ("refuted", "passed"),
     ("supported", "undecided"), ("supported", "skipped")],
)  # fmt: skip
def test_another_verdict_is_a_regression(recorded, state):
    report = _run([_claim(recorded=recorded)], [_checker(state)])
    assert report.exit_code == 1
    assert "on record" in report.results[0].regression
    assert "regression in A title [c]: " in report.summary()


def test_an_erring_checker_is_recorded_and_the_rest_goes_on():
    error = Checker("broken", ("c",), "exact", partial(_raise, ZeroDivisionError("by\nnothing")))
    report = _run([_claim(), _claim("d")], [error, _checker("passed"), _checker("passed", "d")])
    first, second = report.results
    assert first.evidence[0].state == "error"
    assert first.evidence[0].cause == "ZeroDivisionError: by"
    assert first.verdict == "supported"
    assert "failed to run" in first.regression
    assert second.regression is None
    assert report.exit_code == 1


def test_an_open_claim_with_a_broken_check_is_a_regression_too():
    error = Checker("broken", ("c",), "exact", partial(_raise, RuntimeError("planted")))
    assert _run([_claim(recorded="open")], [error]).exit_code == 1


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    stop = Checker("stop", ("d",), "exact", partial(_raise, KeyboardInterrupt()))
    report = _run(
        [_claim(), _claim("d")], [_checker("passed"), stop, _checker("passed", "d")], out=tmp_path
    )
    assert report.interrupted
    assert report.exit_code == 1
    assert [result.finished for result in report.results] == [True, False]
    assert report.results[0].verdict == "supported"
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    assert ledger["environment"]["status"] == "interrupted"
    assert [claim["finished"] for claim in ledger["claims"]] == [True, False]
    assert "Interrupted" in (tmp_path / "index.html").read_text()


def test_claims_select_checkers():
    asked = []

    def watch(context):
        asked.append("d")
        return []

    checkers = [_checker("passed"), Checker("watch", ("d",), "exact", watch)]
    report = _run([_claim(), _claim("d")], checkers, claims=["c"])
    assert [result.claim.id for result in report.results] == ["c"]
    assert not asked


def test_unknown_claims_are_refused_with_near_names():
    with pytest.raises(InputError, match="did you mean floor-tight"):
        verify(["floor-tigth"])


@pytest.mark.parametrize(
    ("option", "value"),
    [("effort", "thorough"), ("device", "tpu"), ("seed", -1), ("seed", 1.5), ("jobs", 0),
     ("jobs", 1.5), ("data", "/nowhere/mnist.npz")],
)  # fmt: skip
def test_bad_options_are_refused(option, value):
    with pytest.raises(InputError):
        verify(["tail"], **{option: value})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        _run([_claim()], [], out=tmp_path / "report")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "report").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        _run([_claim()], [_checker("passed")], out=tmp_path / "report")


def test_a_worker_that_dies_is_recorded(tmp_path, monkeypatch):
    """With real processes in tests/slow/proofs/test_verify.py."""

    def dying(calls, jobs):
        assert jobs == (2 if calls else 1)
        for index, _ in enumerate(calls):
            yield Finished(index, death="SIGKILL(-9)")

    monkeypatch.setattr(runner, "carry_out", dying)
    report = verify(
        ledger=[_claim("d", "open")],
        checkers=[_checker("passed", "d", name) for name in ("killed", "beside it")],
        jobs=2,
        out=tmp_path,
    )
    (result,) = report.results
    assert [item.cause for item in result.evidence] == ["its process died (SIGKILL(-9))"] * 2
    assert report.exit_code == 1
    assert not report.interrupted


def _logged(log, state, context):
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{state} ")
    return [Evidence("c", "property", state, "looked", {"n": np.int64(3), "x": math.inf})]


def _made(out, *states, kind="property", **options):
    """Verify with a check per state, and return which were made, and the report."""
    log = out.parent / "log"
    log.write_text("")
    checkers = [
        Checker(f"{state} check", ("c",), kind, partial(_logged, str(log), state))
        for state in states
    ]
    report = _run([_claim()], checkers, out=out, **options)
    return log.read_text().split(), report


def test_the_same_call_again_computes_nothing(tmp_path):
    out, states = tmp_path / "out", ("passed", "undecided")
    made, first = _made(out, *states)
    assert made == [*states]
    before = _comparable(out)
    made, second = _made(out, *states)
    assert made == []
    assert second.environment["kept"] == ["passed check", "undecided check"]
    assert second.results == first.results
    assert _comparable(out) == before
    assert second.exit_code == first.exit_code
    # And with one more, that alone.
    assert _made(out, *states, "regime")[0] == ["regime"]
    assert _made(out, *states, fresh=True)[0] == [*states]


@pytest.mark.parametrize("state", ["skipped", "error"])
def test_what_could_not_be_done_is_tried_again(tmp_path, state):
    for _ in range(2):
        assert _made(tmp_path / "out", state)[0] == [state]


def test_what_says_that_it_was_made_in_this_run_is(tmp_path):
    for _ in range(2):
        assert _made(tmp_path / "out", "passed", kind="formal")[0] == ["passed"]


@pytest.mark.parametrize("options", [{"seed": 1}, {"effort": "quick"}, {"device": "cpu"}], ids=str)
def test_other_settings_make_all_anew(tmp_path, options):
    out = tmp_path / "out"
    _made(out, "passed")
    assert _made(out, "passed", **options)[0] == ["passed"]
    assert _made(out, "passed")[0] == []


@pytest.mark.parametrize("change", ["sources", "describe_environment", "processor", "find_coq"])
def test_another_state_of_the_world_makes_all_anew(tmp_path, monkeypatch, change):
    out = tmp_path / "out"
    _made(out, "passed")
    monkeypatch.setattr(kept, change, lambda *_: "other")
    assert _made(out, "passed")[0] == ["passed"]
    monkeypatch.undo()
    assert _made(out, "passed")[0] == []


def test_other_data_make_all_anew(tmp_path):
    out, data = tmp_path / "out", tmp_path / "mnist.npz"
    for content, made in ((b"1", ["passed"]), (b"1", []), (b"2", ["passed"]), (b"1", [])):
        data.write_bytes(content)
        assert _made(out, "passed", data=data)[0] == made


def test_a_kept_finding_that_was_changed_counts_as_absent(tmp_path):
    held = kept.Kept(tmp_path, {"device": "cpu"}, None, fresh=False)
    check = _checker("passed")
    held.keep_findings(check, [item.round_trip() for item in _found("passed", None)])
    found = held.findings(check)
    assert found == _found("passed", None)
    (path,) = (tmp_path / "kept").glob("*/*.json")
    text = path.read_text()
    for place in range(0, len(text), 5):
        for other in (text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :], text[:place]):
            path.write_text(other)
            # Nothing, or what was kept: a blank more between entries is the same.
            assert held.findings(check) in (None, found), place
    path.write_bytes(b"\xff")
    assert held.findings(check) is None


def test_a_check_whose_name_does_not_tell_all_is_not_kept(tmp_path):
    for _ in range(2):
        check = Checker("local", ("c",), "property", lambda context: _found("passed", context))
        assert _run([_claim()], [check], out=tmp_path).environment["kept"] == []


def test_sources_are_all_files_of_the_rooms(tmp_path, monkeypatch):
    for name in ("theory/a.py", "numerics/b.toml", "proofs/c.v", "proofs/c.vo", "epsrank/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "proofs" / "kept.py"))
    digests = [kept.sources.__wrapped__()]
    for name in ("theory/a.py", "numerics/b.toml", "proofs/c.v", "proofs/c.vo", "epsrank/d.py"):
        (tmp_path / name).write_text("2")
        digests.append(kept.sources.__wrapped__())
    assert len(set(digests[:4])) == 4
    assert len(set(digests[3:])) == 1


def test_an_interrupted_verification_goes_on(tmp_path):
    out, stop = tmp_path, Checker("stop", ("d",), "exact", partial(_raise, KeyboardInterrupt()))
    ledger = [_claim(), _claim("d")]
    checkers = [_checker("passed"), stop, _checker("passed", "d")]
    assert _run(ledger, checkers, out=out).interrupted
    seen = []
    report = _run(
        ledger, [checkers[0], checkers[2]], out=out, progress=lambda *state: seen.append(state)
    )
    assert not report.interrupted
    assert seen == [(2, 2, "passed d")]


def test_a_folder_that_another_process_writes_is_refused(tmp_path):
    with (
        only_writer(tmp_path),
        pytest.raises(InputError, match="another process is writing; wait until it has ended"),
    ):
        _run([_claim()], [_checker("passed")], out=tmp_path)


def test_progress_counts_every_check():
    seen = []
    _run([_claim()], [_checker("passed"), _checker("skipped")], progress=lambda *a: seen.append(a))
    assert seen == [(1, 2, "passed c"), (2, 2, "skipped c")]


def _comparable(folder):
    ledger = json.loads((folder / "ledger.json").read_text())
    ledger.pop("environment")
    return json.dumps(ledger)


def test_a_seed_gives_the_same_ledger(tmp_path, monkeypatch):
    monkeypatch.setitem(EXAMPLES, "quick", 12)
    names = ["rank-trace", "duplicate-neuron", "draft-slips"]
    chosen = [c for c in load_ledger() if c.id in names]
    checkers = [c for c in property_checkers() if set(c.claims) & set(names)]
    for folder, jobs, seed in (("a", 1, 5), ("b", 1, 5), ("c", 1, 6)):
        verify(
            ledger=chosen, checkers=checkers, effort="quick", jobs=jobs, seed=seed,
            out=tmp_path / folder,
        )  # fmt: skip
    assert _comparable(tmp_path / "a") == _comparable(tmp_path / "b")
    assert _comparable(tmp_path / "a") != _comparable(tmp_path / "c")
