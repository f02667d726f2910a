"""Write the seeds of all targets into the corpus: ``python -m tests.slow.fuzz.make_corpus``."""

from __future__ import annotations

from tests.slow.fuzz.targets import CORPUS, TARGETS


def main() -> None:
    """Write the seeds; what was found by fuzzing and kept stays."""
    for name, target in TARGETS.items():
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        for seed, data in target.seeds().items():
            (CORPUS / name / seed).write_bytes(data)


if __name__ == "__main__":
    main()
