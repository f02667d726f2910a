"""Small measurements for the tests of certificates, and texts that hand them to Coq."""

from __future__ import annotations

import numpy as np

from epsrank.proofs.formal import coq_text


def waves(samples=12, neurons=5, dtype="float64", seed=0):
    """Features of a smooth two-layer network: a spectrum that falls off quickly."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, samples)[:, None]
    hidden = np.tanh(3 * x @ rng.normal(size=(1, neurons)) + rng.normal(size=neurons))
    return np.tanh(hidden @ rng.normal(size=(neurons, neurons))).astype(dtype)


def targets(samples=12, outputs=1):
    x = np.linspace(-1, 1, samples)
    return np.stack([np.cos((3 + 2 * k) * x) for k in range(outputs)], axis=1)


def rank_term(certificate, rank=None):
    """``check_rank`` applied to a certificate."""
    data = coq_text.measurement(certificate.data).split(":=", 1)[1].strip()[:-1]
    return (
        f"check_rank ({data}) {coq_text.rational(certificate.eps)}%Q "
        f"(RankCertificate {certificate.cut}%nat {certificate.drop}%nat "
        f"{coq_text.rows(certificate.basis)}) {certificate.rank if rank is None else rank}%nat"
    )


def floor_term(certificate):
    """``check_floor`` applied to a certificate."""
    data = coq_text.measurement(certificate.data).split(":=", 1)[1].strip()[:-1]
    target = certificate.target
    return (
        f"check_floor ({data}) (FloorTarget {target.level}%nat {coq_text.rows(target.outputs)}) "
        f"{coq_text.rational(certificate.norm_squared)}%Q {coq_text.rational(certificate.x)}%Q "
        f"(FloorCertificate {certificate.layer_scale}%nat {certificate.dual_scale}%nat "
        f"{coq_text.rows(certificate.layer)})"
    )


def changed(rows, i, j, change):
    """Return the rows with one number changed."""
    listed = [list(row) for row in rows]
    listed[i][j] = change(listed[i][j])
    return tuple(tuple(row) for row in listed)
