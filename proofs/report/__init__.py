"""The written report of a verification: ledger.json, index.html and figures."""

from epsrank.proofs.report.figures import draw_figures
from epsrank.proofs.report.files import open_report, rebuild_report, write_report

__all__ = ["draw_figures", "open_report", "rebuild_report", "write_report"]
