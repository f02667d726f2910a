"""Starting worker processes, and what they print."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any


def start_worker(words: list[Any], threads: int) -> subprocess.Popen[str]:
    """Start a worker.

    Parameters
    ----------
    words : list
        Its command line.
    threads : int
        Threads of its libraries.

    Returns
    -------
    subprocess.Popen
        Running.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    # The same packages as here, installed or not.
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if platform.system() == "Linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    command = [sys.executable, "-m", "epsrank.benchmarks.worker", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finished(workers: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """Wait for workers, and return what they printed.

    Parameters
    ----------
    workers : list of subprocess.Popen
        Running.

    Returns
    -------
    list of dict
        One for each.

    Raises
    ------
    RuntimeError
        If one of them failed.
    """
    try:
        found = []
        for worker in workers:
            output, errors = worker.communicate()
            if worker.returncode:
                raise RuntimeError(f"a worker ended with {worker.returncode}: {errors[-2000:]}")
            found.append(json.loads(output.splitlines()[-1]))
        return found
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.communicate()
