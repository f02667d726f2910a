"""A network around one of the user's, whose state keeps the names that the user gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


class OwnNames(nn.Module):
    """A module whose state is that of the network `model` inside of it."""

    model: nn.Module

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the state of the user's network, under its own names."""
        return self.model.state_dict(*args, **kwargs)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load what `state_dict` returned."""
        return self.model.load_state_dict(state_dict, strict, assign)
