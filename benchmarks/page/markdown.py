"""Markdown that the benchmark's pages share: tables, lists of facts, and numbers."""

from collections.abc import Iterable, Sequence

from tsslbp.report.escape import escape_markdown


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; cells are Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Write names with their values."""
    return table(("", ""), [(name, escape(value)) for name, value in pairs])


def escape(text: str) -> str:
    """Write plain text so that Markdown shows it as it is."""
    return escape_markdown(text)


def significant(value: float) -> str:
    """Three digits, or all before the point: 0.123, 12.3, 1,234."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
