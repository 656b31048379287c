"""Reading pages."""

from tests.support.paths import ROOT


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def table_row(text: str, start: str) -> list[str]:
    """The cells of the table's line that begins with a name, without the name; marks of stress are left out."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip(" *") for cell in line.strip("|").split("|")[1:]]
