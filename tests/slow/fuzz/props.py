"""Small true files that command lines are about: arrays, runs, sweeps, histories, a ledger.

`make` fills a folder with one of each, in some seconds; `LINES` are valid command lines about them,
each a second at most, from which the fuzzing of `skeletons.py` begins.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from tests.numerics.monitor.records.test_history import METADATA, filled, rows

#: Valid lines, by what they do. Words with a dot or of a folder here are files.
LINES = tuple(
    line.split()
    for line in """
rank x.npy --eps 1e-6 1e-2
rank x.npz --weights w.npy --measure raw --json
rank x.csv --at-least 3 --relative
rank x.safetensors --exact
rank x.parquet --eps 0.5
rank two.npz --key a
rank run --layer 1
rank run@0 --eps 1e-3 --json
rank --model mynet:net --data in.npy --weights net.pt --layer 1
population x.npy --eps 1e-2 --resamples 20
population --network run --draw 50 --resamples 5 --confidence 0.9
population x.npy --domain -1:1 --network run --json
continuous run --eps 1e-3 --measure mean
continuous run --domain -1:1 --no-floor --json
floor x.npy --target y.npy --coefficients c.npy
floor x.csv --target y.csv --norm 2.5 --eps 1e-4 --json
floor x.npy --target labels.npy --norm 1 --weights w.npy --measure volume
tightness run --eps 1e-3 --moments 2
tightness relu --norms 1 2 --bias feature --json
tightness --model mynet:net --data in.npy --target y.npy --weights net.pt --max-samples 20
apriori cosines --n-train 40 --neurons 4 --width 8 --eps 1e-5
apriori sobolev --smoothness 2 --dimension 1 --neurons 6 --radius 2
apriori relu --json
apriori in.npy --target-values y.npy --neurons 3 --weights w.npy
prune run --neurons 3 --out small
prune x.npy --coefficients c.npy --tolerance 0.5 --json
prune x.npy --coefficients c.npy --neurons 2 --method exchange --f 1.5 --exact
predict --width 10 20 --points 12 --draws 2 --eps 1e-3
predict --activation relu --depth 2 --width 8 --points 10 --draws 2 --init he --json
predict --data in.npy --width 6 --weight-variance 1 --bias-variance 0.1 --draws 2
predict --width 6 --points 10 --draws 2 --measure-seeds 2 --domain -1 2
train cosines --net mlp:1x4 --steps 3 --n-train 12 --measure-every 2 --out new
train --data in.npy y.npy --net 1x3 --steps 2 --loss mse --out new
train --data table.csv --target-columns y --input-columns a b --steps 2 --width 3 --out new
train cosines --width 4 --depth 1 --steps 3 --n-train 12 --optimizer lbfgs --init structured
train digits --width 4 --depth 1 --steps 2 --n-train 20 --loss cross-entropy --batch-size 5
train --resume --out stopped
train --resume --out run --steps 4
sweep SPEC.toml --out swept --jobs 1
sweep SPEC.toml --status --out swept --json
sweep SPEC.toml --jobs 1 --show loss rank --out swept
watch run --once
watch h.csv --once
watch h.jsonl --once
watch swept --once
stages run --eps 1e-6
stages h.parquet --json
stages logs --names seed{seed}.csv --pairs
stages logs/seed0.csv --column loss=loss --level 0.5 --json
stages swept --against rank --where width=3
compare imported imported --figure loss
compare swept swept --a width=3 --b width=4 --json
compare verified verified
import logs --names seed{seed}.csv --out imported2 --target 0.5
import logs/seed0.csv --column step=step loss=loss --out imported2 --json
plot run --kind spectra --format svg --out figures
plot swept --kind ends --x width --y loss --out figures
plot theory --kind constants --out figures
verify --ledger mine.toml --checkers mine --quick --jobs 1 --out report
verify --ledger mine.toml --checkers mine --claim t --jobs 1 --out verified
report verified
report run
reproduce K --seeds 1 --jobs 1 --device cpu --out reproduction --json
prove --export proof --rank tiny.npy --eps 0.5
prove --export proof --floor tiny.npy --target tiny-y.npy --norm 1 --json
conjecture --n 4 --p 2 --restarts 2 --steps 3 --device cpu
conjecture --largest 3 --restarts 1 --steps 2 --out found.npz --json
bench list --json
bench rank --quick --rounds 1 --out benched
""".strip().splitlines()
)

_NET = """
from torch import nn

def net():
    return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
"""
_CHECKS = """
from epsrank.testing import Evidence, checks

@checks("t", kind="exact")
def one(context):
    return Evidence("t", "exact", "passed", "1 = 1", {"one": 1})
"""
_LEDGER = """
[[claim]]
id = "t"
statement = "One is one."
source = "here"
verdict = "certified on instances"
"""
_SPEC = """
seeds = 2
[fixed]
task = "cosines"
depth = 1
steps = 3
n_train = 12
measure_every = 2
device = "cpu"
[grid]
width = [3, 4]
"""


def trial(settings: dict[str, float]) -> dict[str, float]:
    """Be a trial of the experiment K."""
    return {"y": settings["x"] ** 2}


def known() -> None:
    """Make the experiment K known to this process."""
    from epsrank.numerics.experiments import registry
    from epsrank.numerics.sweeps.trial import TRIAL_KINDS

    TRIAL_KINDS["fuzzed"] = "tests.slow.fuzz.props:trial"
    registry.EXPERIMENTS["K"] = "tests.slow.fuzz.props:K"


def __getattr__(name: str) -> object:
    if name != "K":
        raise AttributeError(name)
    from epsrank.numerics.experiments.analysis import Analysis, Table
    from epsrank.numerics.experiments.experiment import Experiment
    from epsrank.numerics.sweeps.trial import Trial

    return Experiment(
        "K", "Squares", "none", (), lambda request: [Trial("fuzzed", {"x": x}) for x in range(3)],
        lambda outcomes: Analysis((), (Table("y", "y", [{"y": o.result["y"]} for o in outcomes]),)),
        question="Are they squares?",
    )  # fmt: skip


def _code_of(words: str) -> object:
    """Run a line here, and return its exit code."""
    from epsrank.cli import main

    try:
        main(words.split())
    except SystemExit as done:
        return done.code
    return None


#: Those that need arrays alone, for a sample in the fast suite.
QUICK = tuple(
    words
    for words in LINES
    if words[0]
    in {"rank", "floor", "population", "prune", "apriori", "predict", "stages", "compare"}
    and not {"run", "run@0", "relu", "swept", "imported", "verified", "h.parquet"} & {*words}
)


def make(folder: Path) -> None:
    """Fill a folder."""
    known()
    make_arrays(folder)
    _runs(folder)
    _histories(folder)
    (folder / "mine.toml").write_text(_LEDGER)
    (folder / "mine.py").write_text(_CHECKS)
    for words in (
        "verify --ledger mine.toml --checkers mine --quick --jobs 1 --out verified",
        "import logs --names seed{seed}.csv --out imported",
    ):
        if (code := _code_of(words)) != 0:
            raise RuntimeError(f"{words} ends with {code}")


def make_arrays(folder: Path) -> None:
    """Fill a folder with arrays, a network and logs."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    points = np.linspace(-1, 1, 30)[:, None]
    x = np.tanh(points * random.normal(size=5) * 3 + random.normal(size=5))
    y = np.cos(3 * points[:, 0])
    arrays = {"x": x, "in": points, "y": y, "w": np.full(30, 0.5), "c": random.normal(size=5)}
    arrays |= {"labels": random.integers(0, 3, 30), "tiny": np.eye(3)[:, :2], "tiny-y": np.ones(3)}
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    np.savez(folder / "x.npz", a=x)
    np.savez(folder / "two.npz", a=x, b=y)
    np.savetxt(folder / "x.csv", x, delimiter=",", header="a,b,c,d,e", comments="")
    np.savetxt(folder / "y.csv", y)
    table = np.column_stack([x[:, :2], y])
    np.savetxt(folder / "table.csv", table, delimiter=",", header="a,b,y", comments="")
    save_file({"a": x}, folder / "x.safetensors")
    pq.write_table(
        pa.table({name: x[:, i] for i, name in enumerate("abcde")}), folder / "x.parquet"
    )
    (folder / "mynet.py").write_text(_NET)
    net = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    torch.save(net.state_dict(), folder / "net.pt")
    (folder / "logs").mkdir()
    for seed in range(2):
        lines = [f"{step},{0.9**step + 0.01 * seed},{step // 5}" for step in range(40)]
        text = "\n".join(["step,loss,rank", *lines, ""])
        (folder / "logs" / f"seed{seed}.csv").write_text(text)


def _runs(folder: Path) -> None:
    from epsrank import RunConfig, train
    from epsrank.numerics.sweeps import Sweep, TrialStore, run_trials

    common = {"task": "cosines", "depth": 1, "width": 5, "n_train": 12, "device": "cpu"}
    config = RunConfig(**common, steps=4, measure_every=2)
    train(config, folder / "run")
    train(RunConfig(**common, activation="relu", steps=4, measure_every=2), folder / "relu")
    train(config, folder / "stopped", stop_after=2)
    (folder / "SPEC.toml").write_text(_SPEC)
    plan = Sweep.from_toml(folder / "SPEC.toml")
    run_trials(plan.trials(), TrialStore(folder / "swept" / "store"), jobs=1)
    shutil.copy(folder / "SPEC.toml", folder / "swept" / "spec.toml")


def _histories(folder: Path) -> None:
    from epsrank.numerics.monitor.sinks.files import CsvSink, JsonLinesSink

    for sink in (CsvSink(folder / "h.csv"), JsonLinesSink(folder / "h.jsonl")):
        for step in range(6):
            sink.write(rows(step), METADATA)
        sink.close()
    filled().to_parquet(folder / "h.parquet")
