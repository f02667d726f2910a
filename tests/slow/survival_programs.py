"""The commands that are killed: each small, with several processes where it has any.

``python survival_programs.py verify FOLDER`` goes on with what FOLDER holds, and exits as the
command does.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

TRIALS = 60
STEPS = 3000
ROWS = 1500


def trial(settings):
    """Take a moment, and return a number that depends on the settings."""
    time.sleep(0.03)
    return {"y": settings["x"] ** 2 + settings["seed"] / 3}


def check(number, context):
    """Take a moment, and return evidence that depends on the seed."""
    from epsrank.proofs.ledger.evidence import Evidence

    time.sleep(0.15)
    return [Evidence("c", "property", "passed", f"check {number}", {"n": number + context.seed})]


def look(name, context):
    """Look at the last bits of a trained network."""
    from epsrank.proofs.ledger.evidence import Evidence

    losses = [record.loss.hex() for record in context.networks[name].run().records]
    return [Evidence("c", "property", "passed", "losses", {"losses": losses})]


def plan(request):
    from epsrank.numerics.sweeps.trial import Trial

    return [Trial("killed", {"x": x, "seed": request.first}) for x in range(TRIALS)]


def analyse(outcomes):
    from epsrank.numerics.experiments.analysis import Analysis, Table

    rows = [{"x": each.settings["x"], "y": each.result.get("y")} for each in outcomes]
    return Analysis((), (Table("numbers", "Numbers", rows),))


def command(*words):
    from epsrank.cli import main

    main(list(words))


def train(folder):
    begun = (folder / "state" / "state.json").exists()
    words = ["--net", "mlp:1x12", "--steps", str(STEPS), "--measure-every", "50"]
    words += ["--n-train", "40", "--out", str(folder)]
    command("train", *([] if begun else ["cosines"]), *(["--resume"] if begun else []), *words)


def sweep(folder):
    from epsrank.numerics.sweeps import TRIAL_KINDS

    TRIAL_KINDS["killed"] = "survival_programs:trial"
    folder.mkdir(exist_ok=True)
    spec = folder / "SPEC.toml"
    spec.write_text(f'kind = "killed"\nseeds = {TRIALS}\n[fixed]\nx = 2\n')
    command("sweep", str(spec), "--out", str(folder), "--jobs", "2")


def reproduce(folder):
    from epsrank.numerics.experiments import registry
    from epsrank.numerics.sweeps.trial import TRIAL_KINDS

    TRIAL_KINDS["killed"] = "survival_programs:trial"
    for name in ("K1", "K2"):
        registry.EXPERIMENTS[name] = f"survival_programs:{name}"
    command("reproduce", "K1", "K2", "--out", str(folder), "--jobs", "2")


def verify(folder):
    import survival_programs as here  # by the name that workers know

    from epsrank.proofs import runner
    from epsrank.proofs.checkers import Checker
    from epsrank.proofs.ledger.claims import Claim

    network = "cosines 2×25"
    claim = Claim("c", "A title", "A statement", "x", "here", ("property",), "supported")
    checkers = [
        Checker(f"check {n}", ("c",), "property", partial(here.check, n)) for n in range(30)
    ]
    checkers.append(Checker("look", ("c",), "property", partial(here.look, network), (network,)))
    runner.load_ledger = lambda: [claim]
    runner.all_checkers = lambda effort, claims: checkers
    command("verify", "--quick", "--device", "cpu", "--jobs", "2", "--out", str(folder))


def sinks(folder):
    """Write rows into three files, and say after each how many are written."""
    sys.path.insert(0, str(HERE.parent / "numerics" / "monitor" / "sinks"))
    from test_sinks import KINDS, METADATA, rows

    folder.mkdir(exist_ok=True)
    said = folder / "said"
    begun = int(said.read_text().split()[-1]) + 1 if said.exists() else 0
    files = [kind(folder / f"h.{name}", append=True) for name, kind in KINDS.items()]
    with said.open("a") as file:
        for step in range(begun, ROWS):
            for sink in files:
                sink.write(rows(step), METADATA)
            file.write(f"{step}\n")
            file.flush()
    for sink in files:
        sink.close()


def __getattr__(name):
    if name in ("K1", "K2"):
        import survival_programs as here

        from epsrank.numerics.experiments.experiment import Experiment

        return Experiment(
            name, "Numbers", "none", (), here.plan, here.analyse, question="Do numbers survive?"
        )
    raise AttributeError(name)


PROGRAMS = {
    "train": train, "sweep": sweep, "reproduce": reproduce, "verify": verify, "sinks": sinks
}  # fmt: skip

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](Path(sys.argv[2]))
