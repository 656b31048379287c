"""Tables of evidence: whether the published numbers can belong together, and where each number of the report comes from."""

from collections.abc import Sequence

from tsslbp.report.numbers import number, short
from tsslbp.report.rows import ResultRow
from tsslbp.report.statistics import CellCheck, check_published
from tsslbp.report.tables.column import READERS, Cell, Column, Table
from tsslbp.report.tables.results import numeral

Checked = tuple[ResultRow, CellCheck]
Labelled = tuple[str, ResultRow]


def _outcome(check: CellCheck) -> Cell:
    return Cell("possible") if check.possible else Cell("impossible", style="lower")


def _code_cell(row: ResultRow) -> Cell:
    """The digest, and whether it is of an older state than today's."""
    return Cell(short(row.origin.code), ("older",) if row.origin.is_present_code is False else ())


CHECKS: tuple[Column[Checked], ...] = (
    Column("model", "Network", lambda each: each[0].model, formats=READERS),
    Column("runs", "Runs", lambda each: each[0].published.runs, formats=READERS, kind="number"),
    Column("mean", "Mean", lambda each: each[0].published.mean, numeral, READERS, "number"),
    Column("std", "Stddev", lambda each: each[0].published.std, numeral, READERS, "number"),
    Column("best", "Best", lambda each: each[1].best, numeral, READERS, "number"),
    Column("allowed", "Possible best", lambda each: f"{number(each[1].allowed.low)} to {number(each[1].allowed.high)}", formats=READERS),
    Column("outcome", "Outcome", lambda each: each[1], _outcome, READERS),
)

ORIGINS: tuple[Column[Labelled], ...] = (
    Column("model", "Network", lambda each: each[0], formats=READERS),
    Column("data", "Data", lambda each: each[1].dataset_title, formats=READERS),
    Column("data_checksum", "Checksum", lambda each: short(each[1].origin.data_checksum), formats=READERS, kind="code"),
    Column("code_digest", "Code", lambda each: each[1], _code_cell, READERS, "code"),
    Column("git_commit", "Commit", lambda each: short(each[1].origin.git_commit), formats=READERS, kind="code"),
    Column("run_ids", "Runs", lambda each: short(each[1].origin.run_ids), formats=READERS - {"latex"}, kind="code"),
    Column("started", "First run", lambda each: each[1].origin.started, formats=READERS),
    Column("device", "Device", lambda each: each[1].origin.device, formats=READERS),
    Column("hours", "Hours", lambda each: each[1].origin.hours, numeral, READERS, "number"),
    Column("versions", "Versions", lambda each: each[1].origin.versions, formats=READERS - {"latex"}),
)


def published_checks(rows: Sequence[ResultRow]) -> list[Checked]:
    """The rows whose published mean, stddev and best can be checked against each other, with what came out."""
    checks = ((row, check_published(row.published)) for row in rows)
    return [(row, check) for row, check in checks if check is not None]


def checks_table(checks: Sequence[Checked]) -> Table[Checked]:
    """Whether each published best can belong to its mean and stddev."""
    return Table("checks", "Published mean, stddev and best in percent, and every best that could belong to them.", CHECKS, {"": checks})


def origins_table(labelled: Sequence[Labelled]) -> Table[Labelled]:
    """Data, code, machine and time of every row that was run; checksums, commits and run ids are shortened."""
    return Table("origins", "Data, code, machine and wall-clock time of every row; identifiers are shortened.", ORIGINS, {"": labelled})
