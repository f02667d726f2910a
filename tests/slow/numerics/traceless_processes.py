"""One of two processes that train a wrapped model with a monitor, and without; run by a test."""

from __future__ import annotations

import copy
import pickle
import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DistributedDataParallel

from epsrank import RankMonitor


class Net(nn.Module):
    """Batch statistics, dropout, and a state in attributes."""

    def __init__(self):
        super().__init__()
        self.fc1, self.norm, self.fc2 = nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 8)
        self.head, self.drop = nn.Linear(8, 2), nn.Dropout(0.2)
        self.mean = 0.0

    def forward(self, x):
        h = self.drop(F.relu(self.norm(self.fc1(x))))
        self.mean = 0.9 * self.mean + 0.1 * float(h.detach().mean())
        return self.head(torch.tanh(self.fc2(h)) + self.mean)


def plain(net):
    return net


def ddp(net):
    return DistributedDataParallel(net)


def compiled(net):
    return torch.compile(net, backend="aot_eager")


def compiled_ddp(net):
    return torch.compile(DistributedDataParallel(net), backend="aot_eager")


def fsdp(net):
    return FullyShardedDataParallel(net, use_orig_params=True, device_id=torch.device("cpu"))


def fsdp_flat(net):
    return FullyShardedDataParallel(net, device_id=torch.device("cpu"))


def fsdp2(net):
    for layer in (net.fc1, net.fc2):
        fully_shard(layer)
    return fully_shard(net)


WRAPPERS = {f.__name__: f for f in (plain, ddp, compiled, compiled_ddp, fsdp, fsdp_flat, fsdp2)}
SETTINGS = {"alone": None, "batches": {}, "probe": {"probe": True}}
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def numbers(model):
    """Return parameters of this process in plain tensors."""
    found = []
    for parameter in model.parameters():
        own = parameter.to_local() if hasattr(parameter, "to_local") else parameter
        found.append(own.detach().clone())
    return found


def train(wrap, settings, dtype, process, group):
    """Train four steps; return weights, outputs, the random state, and what was measured."""
    torch.manual_seed(0)
    net = Net()
    model = WRAPPERS[wrap](net)
    torch.manual_seed(10 + process)
    x, y = torch.randn(12, 4), torch.randn(12, 2)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    outputs, monitor, copies = [], None, []
    if settings is not None:
        given = {"probe": x[:6], "process_group": group} if "probe" in settings else {}
        monitor = RankMonitor(model, every=1, warn=False, **given)
    for _ in range(4):
        optimiser.zero_grad()
        with torch.autocast("cpu", dtype, enabled=dtype is not None):
            output = model(x)
        loss = F.mse_loss(output.float(), y)
        loss.backward()
        optimiser.step()
        outputs.append(output.detach().clone())
        if monitor is not None:
            monitor.step(loss)
            if not wrap.startswith("fsdp"):
                copies += [copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    mean = net.mean
    records = []
    if monitor is not None:
        monitor.close()
        records = [(r.layer, r.step, r.n_samples, r.failure) for r in monitor.history]
    assert nn.Module.__call__ is nn.Module._wrapped_call_impl
    return [*numbers(model), *outputs, torch.tensor(mean), torch.get_rng_state()], records


def main(process, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/init", rank=process, world_size=2)
    warnings.simplefilter("ignore")
    result = {}
    for wrap in WRAPPERS:
        for precision, dtype in PRECISIONS.items():
            if dtype is not None and wrap.startswith("compiled"):
                continue  # seconds of compilation each
            for name, settings in SETTINGS.items():
                try:
                    found = train(wrap, settings, dtype, process, dist.group.WORLD)
                except Exception as error:
                    found = f"{type(error).__name__}: {error}", []
                result[wrap, precision, name] = found
    torch.save(result, folder / f"result{process}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
