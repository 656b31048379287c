"""What the report writes into its folder, and what it leaves alone."""

from dataclasses import replace

from tests.support.paths import ROOT
from tests.support.report_builders import make_run
from tsslbp.figures import animation
from tsslbp.report.gallery import is_picture
from tsslbp.report.rows import make_rows
from tsslbp.report.write import write_reports


def test_pictures_of_models_that_are_gone_go_and_a_users_own_stay(base, tmp_path):
    runs = {"fashion-mlp": make_run(base, "fashion-mlp", epochs=3)}
    write_reports(base.experiment, make_rows(base, runs), runs, tmp_path)
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"comparison.png", "learning-fashion-mlp.png", "confusion-fashion-mlp.png", "firing-fashion-mlp.png"} <= drawn
    (tmp_path / "figures/poster.png").write_bytes(b"mine")
    (tmp_path / "figures/learning-notes.txt").write_bytes(b"mine")
    write_reports(base.experiment, make_rows(base, {}), {}, tmp_path)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"poster.png", "learning-notes.txt"}


def test_every_kind_of_picture_is_known_as_the_reports_own():
    """Otherwise those of a new kind would stay when their models are gone."""
    drawn = {path.name for path in (ROOT / "reports/figures").iterdir()} - {animation.NAME}
    assert {"comparison.png", "recipes.png", "raster.png"} < drawn
    assert [name for name in sorted(drawn) if not is_picture(name)] == []


def test_names_of_classes_are_written_as_they_are(base, tmp_path):
    """A dollar sign begins no formula."""
    runs = {"fashion-mlp": make_run(base, "fashion-mlp", epochs=3)}
    names = ("$x^$", *base.datasets["fashion_mnist"].class_names[1:])
    rows = [replace(row, class_names=names if row.model == "fashion-mlp" else row.class_names) for row in make_rows(base, runs)]
    write_reports(base.experiment, rows, runs, tmp_path)
    assert "fashion-mlp,$x^$,$x^$," in (tmp_path / "confusion.csv").read_text()
