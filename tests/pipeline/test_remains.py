"""Two reports of equal results that took another time are equal; a report of other results is not."""

from pathlib import Path

import pytest

from tests.support.remains import timeless
from tests.support.report_builders import make_run
from tsslbp.report import texts
from tsslbp.report.origin import Run
from tsslbp.report.page import results_page
from tsslbp.report.rows import make_rows
from tsslbp.settings import Settings

MODEL = "mnist-cnn"


def written(settings: Settings, run: Run, folder: Path) -> dict[str, list[str]]:
    rows = make_rows(settings, {MODEL: run})
    reports = {
        "csv": texts.results_csv(rows),
        "md": texts.results_markdown(rows),
        "tex": texts.results_tex(rows),
        "html": results_page("tsslbp", rows, {}),
    }
    lines = {}
    for suffix, text in reports.items():
        path = folder / f"results.{suffix}"
        path.write_text(text)
        lines[suffix] = timeless(path)
    return lines


def later(run: Run) -> Run:
    """The same results, computed two days later by a slower machine."""
    record, provenance = run
    seeds = tuple(
        seed.model_copy(update={"started": f"2026-02-0{1 + seed.seed}T09:00:00+00:00", "seconds": tuple(3 * each for each in seed.seconds)})
        for seed in provenance.seeds
    )
    return record, provenance.model_copy(update={"seeds": seeds})


@pytest.mark.parametrize("suffix", ["csv", "md", "tex", "html"])
def test_only_the_time_is_left_out(suffix: str, base: Settings, tmp_path: Path) -> None:
    run = make_run(base, MODEL, epochs=100, plateau=99.48)
    lines = written(base, run, tmp_path)[suffix]
    assert written(base, later(run), tmp_path)[suffix] == lines
    assert written(base, make_run(base, MODEL, epochs=100, plateau=99.40), tmp_path)[suffix] != lines
