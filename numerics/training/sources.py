"""What a run is made of beside its settings: the content of what they name."""

from __future__ import annotations

from epsrank.numerics.named import file_digest, folder, is_name, source_digest
from epsrank.numerics.networks.activations import activation_function
from epsrank.numerics.tasks.load import DATA
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.own_network import check_own_network, is_own

_NAMED = ("task", "network", "activation")


def sources_of(config: RunConfig) -> dict[str, str]:
    """Return hashes of the source, or of the files, behind every setting of the user's own.

    It is empty for what the suite has under its own names: its version says what that is.
    """
    found = {
        name: source_digest(getattr(config, name), argument=name)
        for name in _NAMED
        if is_name(getattr(config, name))
    }
    if config.task == DATA and config.data is not None:
        files = (config.data,) if isinstance(config.data, str) else config.data
        if is_name(files[0]):
            found["data"] = source_digest(files[0], argument="data")
        else:
            digests = [file_digest(folder() / file, argument="data") for file in files]
            found["data"] = " ".join(digests)
    return found


def check_named(config: RunConfig) -> None:
    """Check, before anything runs, that what the settings name is there."""
    sources_of(config)
    activation_function(config.activation)
    if is_own(config):
        check_own_network(config)
