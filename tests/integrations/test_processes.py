"""Two processes of a Lightning training give the measurement that one gives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from epsrank.numerics.monitor.integrations.shared import _share, shared
from epsrank.numerics.monitor.sinks.follow import read_history

SCRIPT = """
    import sys
    import warnings
    warnings.simplefilter("ignore")
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset
    import lightning.pytorch as pl
    from epsrank.numerics.monitor.integrations import LightningRankCallback
    from epsrank.numerics.monitor.sinks.parquet import ParquetSink

    torch.set_num_threads(1)
    X = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    Y = X.sum(dim=1, keepdim=True)

    class Net(pl.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1))

        def training_step(self, batch, batch_idx):
            return 0.0 * ((self.net(batch[0]) - batch[1]) ** 2).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-3)

    if __name__ == "__main__":
        out, processes = sys.argv[1], int(sys.argv[2])
        callback = LightningRankCallback(
            "net", probe=X, targets=Y, loss="mse", every=2, sinks=[ParquetSink(out)]
        )
        trainer = pl.Trainer(
            accelerator="cpu", devices=processes, strategy="ddp" if processes > 1 else "auto",
            callbacks=[callback], max_steps=4, logger=False, enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Net(), DataLoader(TensorDataset(X, Y), batch_size=4))
"""


def run(folder: Path, processes: int) -> Path:
    script, out = folder / "script.py", folder / f"history-{processes}.parquet"
    script.write_text(textwrap.dedent(SCRIPT))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]), "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(script), str(out), str(processes)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names the loopback of Linux")
def test_two_processes_measure_what_one_measures(tmp_path: Path) -> None:
    pytest.importorskip("lightning", reason="needs lightning: pip install 'epsrank[lightning]'")
    one, two = (read_history(run(tmp_path, count)) for count in (1, 2))
    assert one.steps == two.steps == [2, 4]
    for left, right in zip(one, two, strict=True):
        assert left.failure is right.failure is None
        assert left.n_samples == right.n_samples == 40
        assert left.rank() == right.rank()
        assert left.quantities is not None
        assert right.quantities is not None
        assert left.quantities.trace == pytest.approx(right.quantities.trace, rel=1e-12)
        assert left.reading is not None
        assert right.reading is not None
        assert left.reading.loss == pytest.approx(right.reading.loss, rel=1e-12)
        # Each is a certified enclosure of the same V, with its own rounding.
        for a, b in ((left.reading, right.reading), (right.reading, left.reading)):
            assert a.reachable <= b.attained
            assert a.reachable == pytest.approx(b.reachable, rel=1e-6)


def test_a_probe_is_shared_without_loss() -> None:
    x = torch.arange(7)
    assert torch.equal(torch.cat([_share(x, 0, 2), _share(x, 1, 2)]).sort().values, x)
    assert _share([1, 2, 3], 1, 2) == [2]
    assert _share({"a": x}, 1, 2)["a"].tolist() == [1, 3, 5]
    assert _share((x, x), 0, 3)[1].tolist() == [0, 3, 6]
    assert torch.equal(_share(x, 0, 8), x)
    assert _share("auto", 0, 2) == "auto"
    assert shared({"probe": x}, 1) == {"probe": x}
