"""The claims as data, the evidence for each, and the verdict that follows.

Begin with ``ledger.toml`` and `claims`, which reads it; `verdict` is the one place where evidence
becomes a verdict, `outcome` what is reported of all of them.
"""
