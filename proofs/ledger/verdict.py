"""From evidence to verdict: the one place where a verdict comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from epsrank.proofs.ledger.evidence import Evidence

#: The vocabulary, strongest support first.
VERDICTS = (
    "proved",
    "certified on instances",
    "supported",
    "supported only in a regime",
    "refuted",
    "undecided",
    "open",
)

# A theorem without a proof is not a test that came out undecided.
_TESTS = frozenset({"exact", "symbolic", "property", "empirical"})

_BY_KIND = {
    "formal": "proved",
    "exact": "certified on instances",
    "symbolic": "supported",
    "property": "supported",
    "empirical": "supported",
}

# From least to most said in favour; a claim of several parts is as good as its weakest part.
_STRENGTH = {verdict: len(VERDICTS) - index for index, verdict in enumerate(VERDICTS[:4])}


def derive_verdict(
    wanted: Iterable[str], evidence: Sequence[Evidence], parts: Sequence[str] = ()
) -> str:
    """Derive the verdict on a claim from the evidence of this run.

    A witness refutes, whatever else passed. Otherwise the strongest kind *that the claim asks for*
    decides: formal → ``proved``, exact → ``certified on instances``, symbolic, property or
    empirical → ``supported`` (``supported only in a regime`` where that is all it shows). Evidence
    of a kind the claim does not ask for is reported but decides nothing, so a claim that wants a
    proof stays ``open`` until it has one. Where tests of a wanted kind were made and none came to a
    result the claim is ``undecided``; skipped and erroneous checks are no tests.

    Of a claim made of several statements, each part is judged by itself.
    """
    if not parts:
        return _derive_one(set(wanted), evidence)
    verdicts = [
        _derive_one(set(wanted), [item for item in evidence if item.part == part]) for part in parts
    ]
    if len(set(verdicts)) == 1:
        return verdicts[0]
    if "open" in verdicts:
        return "open"
    if any(verdict not in _STRENGTH for verdict in verdicts):
        # Part refuted and part not, or part undecided: nothing is decided about the whole.
        return "undecided"
    return min(verdicts, key=_STRENGTH.__getitem__)


def _derive_one(wanted: set[str], evidence: Sequence[Evidence]) -> str:
    # Of any kind: a witness is one whether or not the claim asked for it.
    if any(item.state == "refuted" for item in evidence):
        return "refuted"
    counted = [item for item in evidence if item.kind in wanted]
    passed = {item.kind for item in counted if item.state == "passed"}
    for kind, verdict in _BY_KIND.items():
        if kind in passed:
            return verdict
    if any(item.state == "regime" for item in counted):
        return "supported only in a regime"
    if any(item.state == "undecided" and item.kind in _TESTS for item in counted):
        return "undecided"
    return "open"
