"""Every example of README.md and the guides is run, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.numerics.sweeps import execute
from epsrank.proofs import runner
from epsrank.proofs.checkers.base import EXAMPLES

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/index.md",
    "docs/concepts/eps-rank.md",
    "docs/concepts/chain.md",
    "docs/how-to/what-now.md",
    "docs/how-to/choosing-eps.md",
    "docs/how-to/float32.md",
    "docs/how-to/padding.md",
    "docs/how-to/self-supervised.md",
    "docs/how-to/plasticity.md",
    "docs/measuring-your-features.md",
    "docs/monitoring.md",
    "docs/cli.md",
    "docs/kernels.md",
    "docs/sampling.md",
    "docs/neuron-selection.md",
    "docs/apriori-floors.md",
    "docs/continuous-rank.md",
    "docs/operator-losses.md",
    "docs/theory-plots.md",
    "docs/tightness.md",
    "docs/sweeps.md",
    "docs/staircases.md",
    "docs/stages.md",
    "docs/many-networks.md",
    "docs/which-rank.md",
    "docs/your-own.md",
    "docs/testing-claims.md",
    "docs/phenomena.md",
