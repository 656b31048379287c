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

from stages.report import repository_link
from tests.support.in_process import run_stage
from tests.support.paths import ROOT
from tests.support.report_builders import PARAMS, make_run, mixed_runs, settings
from tsslbp.figures.canvas import Picture
from tsslbp.report.answers import WHAT, extent
from tsslbp.report.gallery import draw_pictures
from tsslbp.report.page import PAPER, results_page
from tsslbp.report.readme import TABLE, markers, readme_table
from tsslbp.report.rows import make_rows
from tsslbp.report.write import write_reports
from tsslbp.settings import load_settings
from tsslbp.storage.record_files import write_record

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
    return results_page("tsslbp", *mixed, repository="../README.md")


def test_the_page_needs_no_network(page):
    outline = Outline(page)
    loaded = [
        value
        for tag, attributes in outline.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action") and tag != "a"
    ]
    assert loaded and all(link.startswith("data:") for link in loaded)
    assert not outline.of("script")
    assert "@import" not in page and "url(" not in page


def plain_text(html):
    return " ".join("".join(Outline(html).text).replace("\u00a0", " ").split())


def test_the_page_opens_with_what_it_is_and_the_verdicts(page, mixed):
    text = plain_text(page[page.index("<h1") : page.index("</header>")])
    assert text.startswith(f"TSSL-BP, reproduced {WHAT} Paper · Code and how to run it {extent(mixed[0])}")
    assert "○ not run: nmnist-cnn-t100, fashion-cnn, cifar10-cnn, cifar10-wide" in text
    assert "◇ too few runs: fashion-mlp" in text and "◇ too few samples: nmnist-cnn-t30" in text
    assert "runs of 2026-01-01 to 2026-01-04 · commit" in plain_text(page[page.index('<p class="kicker"') : page.index("<h1")])


def test_the_page_opens_with_the_seeds_that_failed(page):
    assert "Training failed: nmnist-cnn-t30 (1 of 3 seeds)." in plain_text(page[page.index("<h1") : page.index("</header>")])


def test_links_lead_to_paper_code_and_every_section(page):
    outline = Outline(page)
    links = [link["href"] for link in outline.of("a")]
    assert PAPER in links and "../README.md" in links
    anchors = [link.removeprefix("#") for link in links if link.startswith("#")]
    assert anchors == [heading["id"] for heading in outline.of("h2")]
    assert anchors[:2] == ["comparison", "tables"] and anchors[-1] == "origins"


def test_without_a_known_repository_there_is_no_link_to_one(mixed):
    assert "Code and how to run it" not in results_page("tsslbp", mixed[0], {})


def test_provenance_comes_last_and_folded(page):
    last = page[page.rindex("<section") :]
    assert re.search(r"<details>\s*<summary>Show the table</summary>", last)
    assert "<details open" not in page


def test_the_page_knows_dark_mode(page):
    assert "@media (prefers-color-scheme: dark)" in page and '<meta name="color-scheme" content="light dark">' in page


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
    assert len(boxes) == page.count("<table") == page.count("<caption>") == 3
    assert all(box["tabindex"] == "0" and box["role"] == "region" and len(box["aria-label"]) > 20 for box in boxes)


def test_rows_have_as_many_cells_as_the_table_has_columns(page):
    body = page[page.index('<table class="results">') : page.index("</table>")]
    rows = re.findall(r"<tr.*?</tr>", body[body.index("<tbody") :], re.DOTALL)
    assert len(rows) == len(re.findall("<tr", body)) - 1
    assert sum('scope="row"' in row for row in rows) == 7
    for row in rows:
        spans = [int(span) for span in re.findall(r'colspan="(\d+)"', row)]
        assert sum(spans) + len(re.findall(r"<t[hd](?![^>]*colspan)", row)) == 9


@pytest.mark.parametrize("runs", [{}, {"mnist-cnn": make_run(settings(), "mnist-cnn", seeds=(), failed={0: "boom"})}])
def test_the_page_reads_well_without_any_run(runs):
    rows = make_rows(settings(), runs)
    pictures = draw_pictures(rows, runs)
    text = results_page("tsslbp", rows, pictures)
    assert pictures == {} and not Outline(text).of("img")
    assert "None of the 7 rows has been run yet:" in text
    assert ("seed 0 failed: boom" in text) == bool(runs)


def test_foreign_text_is_escaped():
    hostile = '<script>alert("x")</script>'
    runs = {"mnist-cnn": make_run(settings(), "mnist-cnn", subset=(hostile,), failed={9: hostile})}
    rows = make_rows(settings(), runs)
    picture = Picture("x", hostile, f'" onerror="{hostile}', b"", 1, 1)
    outline = Outline(results_page(hostile, rows, {"comparison": [picture]}, repository=hostile))
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
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.report", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_same_records_give_the_same_files(project):
    protocol = load_settings(project / "params.yaml")
    runs = {key: run for key, run in mixed_runs(protocol).items() if key == "fashion-mlp"}
    (project / "two/figures").mkdir(parents=True)
    (project / "two/figures/learning-renamed.png").touch()  # a picture of a model that is gone
    for name in ("one", "two"):
        write_reports(protocol.experiment, make_rows(protocol, runs), runs, project / name)
    files = sorted(path.relative_to(project / "one") for path in (project / "one").rglob("*") if path.is_file())
    assert {str(path) for path in files} == {
        *("results.csv", "results.html", "results.md", "results.tex", "confusion.csv", "figures/comparison.png"),
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


def test_the_stage_renews_the_parts_of_several_documents(project, capsys):
    """Each part goes where its markers are; a document without a place for any is refused, and stays as it was."""
    shutil.rmtree(project / "reports")
    readme, findings = project / "README.md", project / "findings.md"
    readme.write_text("# Title\n{}\n{}\n".format(*markers(TABLE)))
    findings.write_text("# Findings\n{}\n{}\n".format(*markers("recipes")))
    assert run_stage(project, "report", "--readme", str(readme), str(findings)) == 0
    assert readme_table(make_rows(settings(), {})) in readme.read_text()
    assert findings.read_text().startswith("# Findings\n<!-- recipes:begin -->\n")
    findings.write_text("# Findings\n")
    assert run_stage(project, "report", "--readme", str(findings)) == 1
    assert f"{findings}: expected <!-- results:begin --> or" in capsys.readouterr().err
    assert findings.read_text() == "# Findings\n"


def test_what_the_stage_prints_fits_eighty_columns(project, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run_stage(project, "report", "--show") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 9 and max(map(len, lines)) <= 80
    assert all(any(model in line for line in lines) for model in settings().models)


def test_the_repository_is_the_one_that_the_project_names_otherwise_its_readme(tmp_path):
    assert repository_link(tmp_path, Path("reports")) is None
    (tmp_path / "README.md").touch()
    assert repository_link(tmp_path, Path("quickstart/reports")) == "../../README.md"
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[project.urls]\nRepository = "https://example.org/x"\n')
    assert repository_link(tmp_path, Path("reports")) == "https://example.org/x"
