"""Write the verdicts of the ledger into docs/reproduce-the-papers.md: python docs/draw_verdicts.py.

A verdict stands behind the id of its claim: `plateau-length`: *undecided*.
"""

from __future__ import annotations

import re
from pathlib import Path

from epsrank.proofs.ledger.claims import load_ledger

PAGE = Path(__file__).resolve().parent / "reproduce-the-papers.md"
_PLACE = re.compile(r"`([a-z0-9-]+)`: \*[^*\n]*\*")


def rewritten(text: str) -> str:
    """Return a page with the verdicts on record."""
    verdicts = {claim.id: claim.recorded for claim in load_ledger()}
    return _PLACE.sub(lambda found: f"`{found[1]}`: *{verdicts[found[1]]}*", text)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
