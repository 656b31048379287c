"""The page stands alone, escapes what it is given, reads well half empty; the stage writes everything or explains itself."""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.image import imread
from tsslbp.report.figures.canvas import Picture

from stages import report
from tests.report_builders import PARAMS, make_run, mixed_runs, settings
from tsslbp.report.page import draw_pictures, results_page
from tsslbp.report.readme import TABLE, markers, readme_table
from tsslbp.report.rows import make_rows
from tsslbp.report.studies.findings import NO_STUDIES
from tsslbp.report.tables import answer
from tsslbp.report.write import write_reports
from tsslbp.settings import load_settings
from tsslbp.storage.records import write_record

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Outline(HTMLParser):
    """Collects a page's elements and checks that they nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def mixed():
    runs = mixed_runs(settings())
    rows = make_rows(settings(), runs)
    return rows, draw_pictures(rows, runs)


@pytest.fixture(scope="module")
def page(mixed):
    return results_page(settings(), *mixed)


def test_the_page_needs_no_network(page):
    outline = Outline(page)
    links = [
        value for _, attributes in outline.elements for name, value in attributes.items() if name in ("src", "href", "srcset", "action")
    ]
    assert links and all(link.startswith("data:") for link in links)
    assert not outline.of("script")
    assert "@import" not in page and "url(" not in page


def test_the_page_opens_with_the_answer(page, mixed):
    text = " ".join("".join(Outline(page[page.index("<h1") : page.index("</header>")]).text).replace("\u00a0", " ").split())
    assert text == "Results " + " ".join(answer(mixed[0]))


def test_every_picture_is_there_with_its_caption_and_a_description(page, mixed):
    pictures = [picture for group in mixed[1].values() for picture in group]
    outline = Outline(page)
    assert [image["alt"] for image in outline.of("img")] == [picture.alt for picture in pictures]
    assert len(pictures) == 1 + 3 * 3 and len(outline.of("figcaption")) == len(pictures)
    for image, picture in zip(outline.of("img"), pictures, strict=True):
        assert base64.b64decode(image["src"].split(",")[1]) == picture.png
        assert (int(image["width"]), int(image["height"])) == (picture.width, picture.height)


def test_every_table_scrolls_in_its_own_box_and_can_be_reached_by_keyboard(page):
    boxes = [attributes for attributes in Outline(page).of("div") if "scroll" in attributes.get("class", "")]
    assert len(boxes) == page.count("<table") == 4
    assert all(box["tabindex"] == "0" and box["role"] == "region" and box["aria-labelledby"] in page for box in boxes)


def test_rows_have_as_many_cells_as_the_table_has_columns(page):
    body = page[page.index('<table class="main">') : page.index("</table>")]
    for row in re.findall(r"<tr.*?</tr>", body[body.index("<tbody") :], re.DOTALL):
        spans = [int(span) for span in re.findall(r'colspan="(\d+)"', row)]
        assert sum(spans) + len(re.findall(r"<t[hd](?![^>]*colspan)", row)) == 13


@pytest.mark.parametrize("runs", [{}, {"mnist-cnn": make_run(settings(), "mnist-cnn", seeds=(), failed={0: "boom"})}])
def test_the_page_reads_well_without_any_run(runs):
    rows = make_rows(settings(), runs)
    pictures = draw_pictures(rows, runs)
    text = results_page(settings(), rows, pictures)
    assert pictures == {} and not Outline(text).of("img")
    assert "None of the 7 rows has been run yet." in text
    assert ("seed 0 failed: boom" in text) == bool(runs)


def test_foreign_text_is_escaped():
    hostile = '<script>alert("x")</script>'
    runs = {"mnist-cnn": make_run(settings(), "mnist-cnn", subset=(hostile,), failed={9: hostile})}
    rows = make_rows(settings(), runs)
    picture = Picture("x", hostile, f'" onerror="{hostile}', b"", 1, 1)
    outline = Outline(results_page(settings().model_copy(update={"experiment": hostile}), rows, {hostile: [picture]}))
    assert not outline.of("script") and "onerror" not in outline.of("img")[0]
    assert "".join(outline.text).count(hostile) >= 4


@pytest.fixture
def project(tmp_path):
    """A folder with settings and records, and nothing else."""
    shutil.copy(PARAMS, tmp_path / "params.yaml")
    for key, run in mixed_runs(settings()).items():
        if key != "mnist-cnn":
            write_record(tmp_path / "reports/runs" / key, *run)
    return tmp_path


def stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "stages.report", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_same_records_give_the_same_files(project, monkeypatch):
    protocol = load_settings(project / "params.yaml")
    runs = {key: run for key, run in mixed_runs(protocol).items() if key == "fashion-mlp"}
    for name in ("one", "two"):
        write_reports(protocol, make_rows(protocol, runs), runs, project / name)
    files = sorted(path.relative_to(project / "one") for path in (project / "one").rglob("*") if path.is_file())
    assert {str(path) for path in files} == {
        *("results.csv", "results.html", "results.md", "results.tex", "figures/comparison.png"),
        *(f"figures/{kind}-fashion-mlp.png" for kind in ("learning", "confusion", "firing")),
    }
    for path in files:
        content = (project / "one" / path).read_bytes()
        assert content == (project / "two" / path).read_bytes()
        assert str(project).encode() not in content
    assert imread(io.BytesIO((project / "one/figures/comparison.png").read_bytes())).size


def test_a_damaged_record_stops_the_stage_with_one_clear_message(project):
    (project / "reports/runs/fashion-mlp/record.json").write_text("{")
    result = stage(project)
    assert result.returncode == 1
    assert "fashion-mlp/record.json" in result.stderr and "Traceback" not in result.stderr
    assert not (project / "reports/results.csv").exists()


def test_without_runs_the_stage_shows_what_is_published(project):
    shutil.rmtree(project / "reports")
    result = stage(project)
    assert (result.returncode, result.stderr) == (0, "")
    assert "None of the 7 rows has been run yet." in result.stdout
    assert (project / "reports/figures").is_dir() and not list((project / "reports/figures").iterdir())
    assert (project / "reports/results.csv").read_text().count("not run") == 7


def test_the_stage_renews_the_readmes_table(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("# Title\n{}\n{}\n".format(*markers(TABLE)))
    rows = make_rows(settings(), {})
    report.update_readme(readme, rows, NO_STUDIES)
    assert readme_table(rows) in readme.read_text()
    readme.write_text("# Title\n")
    with pytest.raises(ValueError, match=r"README\.md: expected <!-- results:begin -->"):
        report.update_readme(readme, rows, NO_STUDIES)
    assert readme.read_text() == "# Title\n"
