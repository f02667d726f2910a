"""`epsrank bench`: names, structure, JSON, files; a planted slow alternative shows; no timings."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from epsrank.benchmarks import BENCHMARKS, monitor, rank, run_benchmarks, scaling, shapes, worker
from epsrank.benchmarks.models import workloads
from epsrank.benchmarks.result import Column, Table, overhead, seconds
from epsrank.benchmarks.settings import BenchmarkSettings, limited_threads
from epsrank.benchmarks.timing import interleaved, median_ratio, total_ratio
from epsrank.benchmarks.trainee import Trainee, TrainingClock, block_steps, run_blocks
from epsrank.benchmarks.watchers import Watcher, watchers_at
from epsrank.benchmarks.worker import start_worker
from epsrank.cli import main
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.theory.errors import InputError
from tests.processes import Child

QUICK = BenchmarkSettings(effort="quick")


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, words)])


def tables(found: list[Table]) -> dict[str, Table]:
    return {table.name: table for table in found}


def test_list_names_every_benchmark() -> None:
    done = command("list")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == list(BENCHMARKS)
    assert [entry["name"] for entry in json.loads(command("list", "--json").stdout)] == list(
        BENCHMARKS
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["nothing"],
            "NAME is 'nothing'; choose from rank, shapes, monitor, scaling, large, ensemble",
        ),
        (["rank", "nothing"], "choose from"),
        (["list", "rank"], "list takes no other NAME"),
        (["--quick", "--full"], "either --quick or --full"),
        (["rank", "--rounds", "0"], "--rounds"),
        (["rank", "--threads", "0"], "--threads"),
    ],
)
def test_bad_use_is_one_line_and_code_2(words: list[str], said: str) -> None:
    done = command(*words)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert not done.stdout


def test_an_unknown_name_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'nothing'"):
        next(run_benchmarks(["rank", "nothing"], QUICK))


def test_an_unwritable_folder_is_refused_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = command("rank", "--quick", "--out", file)
    assert done.exit_code == 2
    assert "rank:" not in done.stderr.replace("epsrank:", "")


def test_rank_as_json_and_files(tmp_path: Path) -> None:
    done = command("rank", "--quick", "--rounds", "1", "--json", "--out", tmp_path / "new" / "out")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert json.loads((tmp_path / "new" / "out" / "bench.json").read_text("utf-8")) == found
    (result,) = found["benchmarks"]
    assert set(result) == {"name", "settings", "environment", "tables"}
    assert result["settings"] == {"rounds": 1, "effort": "quick", "threads": None, "seed": 0}
    assert set(result["environment"]["threads"]) == {"torch", "blas"}
    names = [table["name"] for table in result["tables"]]
    assert names == ["float64-300x24", "float64-300x40", "float32-300x40", "exact"]
    for table in result["tables"][:3]:
        for row in table["rows"]:
            assert row["seconds"] > 0
            assert set(row["ratio"]) == {"value", "low", "high", "coverage", "rounds"}
            assert row["ratio"]["rounds"] == 1
            assert row["ratio"]["low"] <= row["ratio"]["value"] <= row["ratio"]["high"]
            if row["what"] == row["base"]:
                assert row["ratio"]["value"] == 1
    page = (tmp_path / "new" / "out" / "bench.md").read_text("utf-8")
    assert page.startswith("## rank\n")
    assert page.count("### ") == 4


def test_alternatives_count_the_same(tmp_path: Path) -> None:
    for table in (rank.in_float64(300, 24, QUICK), rank.in_float32(300, 24, QUICK)):
        blocks: dict[tuple[str, float], set[str]] = {}
        for row in table.rows:
            if row["answer"] is not None and row["what"] != "five thresholds":
                blocks.setdefault((row["features"], row["eps"]), set()).add(row["answer"])
        assert all(len(answers) == 1 for answers in blocks.values()), blocks
        assert {row["base"] for row in table.rows} == {"count alone"}


def routes_of(table: Table) -> set[tuple[float, str]]:
    return {(row["eps"], row["route"]) for row in table.rows if row["what"] == "count alone"}


def test_counts_name_their_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Singular values name no route, and are most of the time.
    monkeypatch.setattr(rank, "singular", lambda features, eps: {})
    assert routes_of(rank.in_float32(2600, 260, QUICK)) == {
        (1e-6, "samples"),
        (1e-6, "gram"),
        (10.0, "projection"),
        (0.1, "gram-float32"),  # of the neurons that are not silent
        (0.5, "gram-float32"),  # half of the directions are empty
    }
    assert routes_of(rank.in_float64(2600, 260, QUICK)) == {
        (1e-6, "samples"),
        (1e-6, "gram"),
        (0.5, "gram-float32"),
    }


def test_shapes_beside_the_unverified_practice() -> None:
    found = tables(shapes.measure(QUICK))
    assert list(found) == ["shapes", "stacks"]
    for row in found["shapes"].rows:
        assert row["answer"] == row["unverified_answer"]
        for name in ("certified_ratio", "counts_ratio", "product_ratio", "counts_to_certified"):
            assert row[name]["value"] > 0
        assert row["product_seconds"] > 0
    for row in found["stacks"].rows:
        assert row["batched_ratio"]["value"] > 0
        assert row["single_ratio"]["value"] > 0
    page = found["shapes"].markdown()
    assert "dsyrk alone" in page


def test_monitor_tables() -> None:
    found = tables(monitor.measure(QUICK))
    assert set(found) == {"default", "equal-frequency", "measured"}
    default = found["default"].rows
    assert [row["samples"] for row in default] == ["training batches", "probe"] * 3
    for row in default:
        assert row["measurements"] >= 1
        assert row["failures"] == 0
        assert row["share"] > 0
        assert row["ratio_processor"]["value"] > 0
        assert row["first_repaid_after"] == pytest.approx(100 * row["first_cost"])
    equal = found["equal-frequency"].rows
    assert {row["every"] for row in equal} == {1, 3}
    for row in equal:
        assert (row["measurements"] > 0) == (row["who"] != "no monitor")
        if row["who"] == "no monitor":
            assert row["ratio"]["value"] == row["ratio_processor"]["value"] == 1
    # What could not watch is named with the reason.
    everybody = set(watchers_at(1))
    for name in {row["model"] for row in equal}:
        there = {row["who"] for row in equal if row["model"] == name}
        left_out = {
            what.removesuffix(f", {name}")
            for what, _ in found["equal-frequency"].skipped
            if what.endswith(name)
        }
        assert there | left_out == everybody
        assert not there & left_out
    assert all(row["measures"] for row in found["measured"].rows)


def test_ndtracker_absent_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ndt", None)
    load = workloads(quick=True, seed=0)[0]
    rows, skipped = monitor.at_equal_frequency(load, 1, QUICK)
    assert not any("ndtracker" in row["who"] for row in rows)
    assert [what for what, _ in skipped] == [
        f"ndtracker, {load.name}",
        f"ndtracker, the monitor's layers, {load.name}",
    ]
    assert all("ndt" in why for _, why in skipped)


class Slow(Watcher):
    """A planted fault: sleeps at every step."""

    def after(self, loss: torch.Tensor) -> None:
        time.sleep(0.01)


class Busy(Watcher):
    """A planted fault: works at every step."""

    def after(self, loss: torch.Tensor) -> None:
        until = time.process_time() + 0.01
        while time.process_time() < until:
            pass


def test_a_planted_slow_watcher_shows() -> None:
    load = workloads(quick=True, seed=0)[0]
    slow = Trainee(load, lambda model, clock: Slow(), 2)
    alone = Trainee(load, lambda model, clock: Watcher(), 2)
    taken = [run_blocks([alone, slow], 3, turn) for turn in range(5)]
    found = median_ratio([row[1].seconds for row in taken], [row[0].seconds for row in taken])
    assert found.value > 1
    assert "+" in overhead(found.to_json())
    # Who sleeps takes no processor time.
    assert sum(row[1].processor for row in taken) < sum(row[1].seconds for row in taken)


def test_a_planted_busy_watcher_shows_in_processor_time() -> None:
    load = workloads(quick=True, seed=0)[0]
    busy = Trainee(load, lambda model, clock: Busy(), 2)
    alone = Trainee(load, lambda model, clock: Watcher(), 2)
    taken = [run_blocks([alone, busy], 3, turn) for turn in range(5)]
    assert min(row[1].processor for row in taken) >= 0.03
    assert min(row[1].processor - row[0].processor for row in taken) > 0


def test_a_planted_slow_alternative_shows() -> None:
    timings = interleaved({"ours": lambda: 1, "slow": lambda: time.sleep(0.005)}, 3)
    assert timings.ratio("slow", "ours").value > 1
    assert timings.ratio("ours", "slow").value < 1
    assert timings.answers["ours"] == 1


def test_every_round_begins_with_another_action() -> None:
    order: list[str] = []
    actions = {name: lambda n=name: order.append(n) for name in "abc"}
    interleaved(actions, 3, warm_up=1)
    assert ["".join(order[i : i + 3]) for i in range(3, 12, 3)] == ["abc", "bca", "cab"]


def test_intervals_cover_the_median_as_often_as_they_say() -> None:
    generator = torch.Generator().manual_seed(0)
    hits, trials, m = 0, 2000, 9
    for _ in range(trials):
        drawn = torch.empty(m).exponential_(generator=generator).tolist()
        found = median_ratio(drawn, [1.0] * m)
        assert found.value == pytest.approx(statistics.median(drawn))
        hits += found.low <= torch.log(torch.tensor(2.0)).item() <= found.high
    assert found.coverage == pytest.approx(1 - 20 / 512)
    assert hits / trials == pytest.approx(found.coverage, abs=0.015)
    assert median_ratio([1.0, 3.0], [1.0, 1.0]).coverage == 0.5  # too few: the range, and said so


def test_totals_see_rare_expensive_rounds_that_medians_do_not() -> None:
    watched, alone = [1.0] * 19 + [21.0], [1.0] * 20
    assert median_ratio(watched, alone).value == 1
    found = total_ratio(watched, alone, seed=0)
    assert found.value == 2
    assert found.low < 2 < found.high
    assert found == total_ratio(watched, alone, seed=0)


def test_a_copy_does_not_live_on_the_time_of_others() -> None:
    clock = TrainingClock()
    clock.start()
    inside = clock.stop()
    time.sleep(0.02)
    assert clock() == pytest.approx(inside)


def test_a_block_holds_whole_intervals() -> None:
    assert block_steps(0.01, 0.25) == 25
    assert block_steps(0.01, 0.25, 10) == 30
    assert block_steps(1.0, 0.25, 100) == 100
    assert block_steps(0.0, 0.0, 7) == 7


def test_watching_changes_no_weight() -> None:
    for load in workloads(quick=True, seed=0):
        ends = []
        for make in watchers_at(2).values():
            torch.manual_seed(0)
            try:
                trainee = Trainee(load, lambda model, clock, make=make: make(model), 1)
            except (ImportError, InputError):
                continue  # ndtracker is no dependency, and does not take every model
            trainee.block(5)
            trainee.watcher.close()
            ends.append(torch.cat([p.detach().flatten() for p in trainee._model.parameters()]))
        assert len(ends) >= 4
        assert all(torch.equal(end, ends[0]) for end in ends)


def test_workloads_repeat_and_leave_the_random_numbers_alone() -> None:
    state = torch.get_rng_state()
    first, second = workloads(quick=True, seed=3), workloads(quick=True, seed=3)
    assert torch.equal(state, torch.get_rng_state())
    for left, right in zip(first, second, strict=True):
        assert left.name == right.name
        for a, b in zip(left.model.parameters(), right.model.parameters(), strict=True):
            assert torch.equal(a, b)
        assert all(
            torch.equal(a[0], b[0]) for a, b in zip(left.batches, right.batches, strict=True)
        )
        labels = torch.cat([y for _, y in left.batches])
        assert len(labels.unique()) > 1


def test_the_networks_are_what_their_names_say() -> None:
    mlp, resnet, transformer = (load.model for load in workloads(quick=False, seed=0))
    assert isinstance(mlp, nn.Sequential)
    assert [m.out_features for m in mlp if isinstance(m, nn.Linear)] == [512, 256, 10]
    convolutions = [m for m in resnet.modules() if isinstance(m, nn.Conv2d)]
    assert sum(m.kernel_size == (3, 3) for m in convolutions) == 7  # and the linear output: 8
    assert len(find_layers(resnet).layers) == 5
    assert isinstance(transformer.encoder, nn.TransformerEncoder)


def test_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    def forked(words: list[Any], threads: int) -> Child | subprocess.Popen[str]:
        # The stream is alone in a process of its own; the others have torch already.
        if words[0] == "stream":
            return start_worker(words, threads)
        return Child(worker.main, [str(word) for word in words])

    def finished(workers: list[Any]) -> list[dict[str, Any]]:
        if not isinstance(workers[0], Child):
            return worker.finished(workers)
        ends = [each.ended() for each in workers]
        assert [code for code, _ in ends] == [0] * len(ends), ends
        return [json.loads(printed.splitlines()[-1]) for _, printed in ends]

    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setattr(scaling, "start_worker", forked)
    monkeypatch.setattr(scaling, "finished", finished)
    (result,) = run_benchmarks(["scaling"], QUICK)
    found = tables(list(result.tables))
    assert list(found) == ["width", "samples", "layers", "processes"]
    assert [row["n_samples"] for row in found["samples"].rows] == [1000]
    assert all(row["memory"] >= 0 for row in found["samples"].rows)
    assert [row["layers"] for row in found["layers"].rows] == [1, 2]
    for row in found["processes"].rows:
        assert row["ranks"] == found["processes"].rows[0]["ranks"]
        assert row["difference"] < 1e-12
    assert json.dumps(result.to_json(), allow_nan=False)


def test_the_package_runs_outside_the_source_tree(tmp_path: Path) -> None:
    code = "from epsrank.benchmarks import run_benchmarks, BENCHMARKS; print(*BENCHMARKS)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.split() == list(BENCHMARKS), done.stderr


def test_threads_are_limited_and_given_back() -> None:
    before = torch.get_num_threads()
    with limited_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_tables_say_what_is_missing() -> None:
    table = Table(
        "t",
        "Title",
        (Column("a", "A"), Column("b", "B", seconds)),
        ({"a": "x|y", "b": None}, {"a": "z", "b": 0.0021}),
        "Note.",
        (("thing", "reason"),),
    )
    assert table.cells == [["x|y", "–"], ["z", "2.1 ms"]]
    assert table.notes == "Note.\nleft out: thing (reason)"
    assert "| x\\|y | – |" in table.markdown()
    data: dict[str, Any] = table.to_json()
    assert data["skipped"] == [{"what": "thing", "reason": "reason"}]


def test_interrupted_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(settings: BenchmarkSettings) -> list[Table]:
        raise KeyboardInterrupt

    monkeypatch.setattr(monitor, "measure", interrupt)
    monkeypatch.setattr(rank, "measure", lambda settings: [])
    done = command("rank", "monitor", "--out", tmp_path)
    assert done.exit_code == 130
    assert "holds rank" in done.stderr
    kept = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert [result["name"] for result in kept["benchmarks"]] == ["rank"]
    assert command("monitor").exit_code == 130


def test_an_interrupted_benchmark_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def stopped(settings: BenchmarkSettings) -> list[Table]:
        raise KeyboardInterrupt

    def measured(settings: BenchmarkSettings) -> list[Table]:
        calls.append("rank")
        columns = (Column("a", "A"), Column("b", "B", seconds))
        return [Table("t", "Title", columns, ({"a": 1, "b": 0.0021},), "Note.")]

    monkeypatch.setattr(rank, "measure", measured)
    monkeypatch.setattr(monitor, "measure", stopped)
    words = ("rank", "monitor", "--out", tmp_path)
    done = command(*words)
    assert done.exit_code == 130
    assert "the same command goes on from there" in done.stderr
    first = json.loads((tmp_path / "bench.json").read_text("utf-8"))["benchmarks"]
    page = (tmp_path / "bench.md").read_text("utf-8")
    monkeypatch.setattr(monitor, "measure", lambda settings: [])
    # With other settings, or after damage, everything is measured again.
    assert command(*words, "--seed", "1").exit_code == 0
    assert calls == ["rank", "rank"]
    monkeypatch.setattr(monitor, "measure", stopped)
    assert command(*words).exit_code == 130
    monkeypatch.setattr(monitor, "measure", lambda settings: [])
    calls.clear()
    done = command(*words)
    assert (done.exit_code, calls) == (0, [])
    assert "2.1 ms" in done.stdout
    found = json.loads((tmp_path / "bench.json").read_text("utf-8"))["benchmarks"]
    assert [result["name"] for result in found] == ["rank", "monitor"]
    assert found[0]["tables"] == first[0]["tables"]
    assert page.partition("load")[0] in (tmp_path / "bench.md").read_text("utf-8")
    # All is in the results now: the next call measures anew.
    assert not (tmp_path / "unfinished.json").exists()
    assert command(*words).exit_code == 0
    assert calls == ["rank"]
