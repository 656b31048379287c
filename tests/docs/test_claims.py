"""What the pages claim of settings, commands and other files, held against these."""

import json
import re
import subprocess
import tomllib

import yaml

from tests.docs.pages import page, table_row
from tests.support.paths import ROOT
from tsslbp.report.origin import read_runs
from tsslbp.report.rows import make_rows
from tsslbp.settings import Settings, load_settings


def extents(settings: Settings) -> dict[str, str]:
    """The seeds and epochs of each row that was run in full, as the tables tell them."""
    rows = make_rows(settings, read_runs(settings, ROOT / settings.folders.runs))
    return {row.model: row.extent for row in rows if row.seeds >= 5}


def test_a_seed_of_ones_own_goes_into_the_models_section(tmp_path):
    """docs/extending.md: one more in the list of all models makes every row one of 5 of 6 seeds."""
    text, path = page("params.yaml"), tmp_path / "params.yaml"
    before, new = extents(load_settings(ROOT / "params.yaml")), "seeds: [0, 1, 2, 3, 4, 5]"
    assert f"`{new}` in its section" in page("docs/extending.md")
    path.write_text(text.replace("  fashion-mlp:\n", f"  fashion-mlp:\n    {new}\n", 1))
    assert {model: extent for model, extent in extents(load_settings(path)).items() if before[model] != extent}.keys() == {"fashion-mlp"}
    path.write_text(re.sub(r"^seeds: .*", new, text, flags=re.MULTILINE))
    assert len(before) > 1
    assert all("5 of 6" in extent for extent in extents(load_settings(path)).values())


def test_readme_is_renewed_by_the_command_that_the_page_names():
    done = subprocess.run(["make", "--dry-run", "readme"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "python -m stages.report --readme README.md docs/findings.md" in done.stdout
    assert all("`make readme`" in page(f"docs/{name}.md") for name in ("reproduce", "findings"))


def test_what_is_shared_has_every_lock_file():
    """`make recipes` and `make ablation` change those of the studies."""
    named = re.findall(r"^git add (.*?) &&", page("docs/reproduce.md").partition("## Share what is finished")[2], re.MULTILINE)[0].split()
    locks = subprocess.run(["git", "ls-files", "*dvc.lock"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {"dvc.lock", "studies/recipes/dvc.lock", "studies/ablation/dvc.lock"} <= set(locks)
    assert all(any(lock == name or lock.startswith(f"{name}/") for name in named) for lock in locks)


def test_whoever_exports_a_network_is_told_to_install_the_pipeline():
    """`make setup` installs all; docs/networks.md is also for those who have the library alone."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page("docs/networks.md"), re.DOTALL | re.MULTILINE)
    (block,) = [text for text in blocks if "-m stages" in text]
    (extras,) = re.findall(r"pip install '\.\[(.*)\]'", block)
    assert "pipeline" in extras.split(",")


def test_how_long_all_rows_take_is_the_sum_of_the_table():
    """Its last column has the hours of five seeds, two at a time."""
    table = page("docs/reproduce.md").partition("| Model | Samples per second |")[2].partition("\n\n")[0]
    hours = [float(line.split("|")[-2].replace(",", "")) for line in table.splitlines()[2:]]
    assert len(hours) == 7
    assert 3 < sum(hours) / 24 / 30 < 12
    assert re.search("^repro:.*: months on a CPU", page("Makefile"), re.MULTILINE)


def test_the_two_lower_bounds_are_those_of_the_results():
    speed, results = page("docs/speed.md"), page("reports/benchmark/results.md")
    table = results.partition("| step ÷ lower bound | fastest library ÷ lower bound |")[2]
    rows = [table_row(table.partition("\n\n")[0], name) for name in ("fashion-mlp", "mnist-cnn", "fashion-cnn", "cifar10-cnn")]
    still = [0, 1, 2, 5]  # the columns of images; of recordings there is one bound
    bounds = {
        name: [table_row(speed, name)[column] for column in still]
        for name in ("step ÷ lower bound", "step ÷ bound with the first product at every step")
    }
    assert list(bounds.values()) == [[row[-1] for row in rows], [row[3] for row in rows]]
    once, always = (float(rows[-1][column].split()[0].replace(",", "")) for column in (5, 1))
    assert (f"{once:,.0f} ms beside {always:,.0f}" in " ".join(speed.split())) == (once > always)


def test_the_pythons_of_the_platforms_are_those_of_the_workflow():
    jobs = yaml.safe_load(page(".github/workflows/ci.yml"))["jobs"]
    *others, last = jobs["test"]["strategy"]["matrix"]["python"]
    (slow,) = [step["with"]["python-version"] for step in jobs["pipeline"]["steps"] if "python-version" in step.get("with", {})]
    told = f"CI runs `make test` with Python {', '.join(others)} and {last} on every change, the slow tests with {slow}"
    assert table_row(page("docs/reproduce.md"), "Linux, x86-64") == [told]


def test_the_notebook_says_what_else_it_needs():
    """Its first cell names the extra for the library, and Jupyter, which is in none."""
    extras = tomllib.loads(page("pyproject.toml"))["project"]["optional-dependencies"]
    assert not [name for names in extras.values() for name in names if re.match("notebook|jupyter", name)]
    first = "".join(json.loads(page("examples/first_network.ipynb"))["cells"][0]["source"])
    assert re.findall(r"`pip install (.*?)`", first) == ["'.[pipeline]'", "notebook"]


def test_accuracies_of_ones_own_are_compared_as_the_page_shows(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    (example,) = re.findall(r"^```python\n(.*?)^```", page("docs/reproduce.md"), re.DOTALL | re.MULTILINE)
    exec(compile(example, "docs/reproduce.md", "exec"), {})
    comparison, pairs = capsys.readouterr().out.splitlines()
    assert comparison.startswith("Comparison(verdict='higher', difference=0.152")
    assert pairs.startswith("PairedDifference(seeds=(0, 1, 2, 3, 4), values=")


def test_recipes_that_are_too_short_to_be_judged_say_so():
    study, text = load_settings(ROOT / "studies/recipes/params.yaml"), page("studies/recipes/params.yaml")
    base = load_settings(ROOT / "params.yaml")
    short = [key for key, model in study.models.items() if model.epochs < base.models[str(model.like)].epochs]
    _, note, models = text.partition("# A first look, too short for a verdict")
    assert note
    assert re.findall(r"^  (\S+):$", models, re.MULTILINE) == short
