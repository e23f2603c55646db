"""Results that print themselves whole: as a table, as a page, as an article."""

from __future__ import annotations

from pathlib import Path

from nnft_num.reporting import reports
from nnft_sym.language.markup import Shown

__all__ = ["Published"]


class Published(Shown):
    """A result with a verdict that is printed by ``pages`` and ``documents``."""

    network: str

    @property
    def subject(self) -> str:
        """What was confronted, in words."""
        return self.network

    @property
    def headline(self) -> str:
        """Title of a page or an article of its own."""
        return f"{self.subject}: theory against sample"

    def to_latex(self, path: str | Path | None = None) -> str:
        """LaTeX table (booktabs) of what it shows."""
        return reports.written(self._table().latex, path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Page of its own with formulas, tables, figures and references; needs no network."""
        from nnft_num.reporting.pages import page_of

        return reports.written(page_of(self), path)

    def to_latex_document(self, path: str | Path | None = None, rows: int = 8) -> str:
        """Article with formulas, tables, figures and references, ready for pdflatex.

        Tables of entries have the ``rows`` worst of each order.
        """
        from nnft_num.reporting.documents import document_of

        return reports.written(document_of(self, rows=rows), path)
