"""The command line, one file per command; the heavy rooms are imported when a command runs."""

from epsrank.cli.apriori import apriori
from epsrank.cli.bench import bench
from epsrank.cli.compare import compare
from epsrank.cli.conjecture import conjecture
from epsrank.cli.continuous import continuous
from epsrank.cli.floor import floor
from epsrank.cli.front import Front
from epsrank.cli.import_runs import import_
from epsrank.cli.plot import plot
from epsrank.cli.population import population
from epsrank.cli.predict import predict
from epsrank.cli.prove import prove
from epsrank.cli.prune import prune
from epsrank.cli.rank import rank
from epsrank.cli.report import report
from epsrank.cli.reproduce import reproduce
from epsrank.cli.stages import stages
from epsrank.cli.sweep import sweep
from epsrank.cli.tightness import tightness
from epsrank.cli.train import train
from epsrank.cli.verify import verify
from epsrank.cli.watch import watch

main = Front(
    name="epsrank",
    help=(
        "The ε-rank of neural-network features: count it without rounding errors, bound the loss "
        "by it, watch it during training, and check the theorems about it."
    ),
    groups={
        "Features and their loss": ["rank", "population", "continuous", "floor", "tightness"],
        "Before training": ["predict", "apriori"],
        "Training": ["train", "sweep", "watch", "stages", "compare", "import", "plot", "prune"],
        "Claims and proofs": ["verify", "report", "prove", "reproduce", "conjecture"],
        "Speed": ["bench"],
    },
    commands=[
        verify,
        report,
        prove,
        rank,
        population,
        continuous,
        floor,
        tightness,
        apriori,
        prune,
        conjecture,
        predict,
        train,
        sweep,
        watch,
        stages,
        compare,
        import_,
        reproduce,
        plot,
        bench,
    ],
)

__all__ = ["main"]
