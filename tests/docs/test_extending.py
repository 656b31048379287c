"""docs/extending.md, carried out: what each section adds to a copy of the code is then used."""

import gzip
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.docs.extended_copy import BLOCK, PAGE, SECTIONS, Copy
from tests.support.paths import ROOT


@pytest.fixture
def copy(tmp_path: Path, request: pytest.FixtureRequest) -> Copy:
    return Copy(tmp_path / "project", request.param)


def section(title: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("copy", [title], indirect=True)


def idx(values: NDArray[np.uint8]) -> bytes:
    """An array as a packed IDX file."""
    head = bytes([0, 0, 8, values.ndim]) + b"".join(int(size).to_bytes(4, "big") for size in values.shape)
    return gzip.compress(head + values.tobytes(), mtime=0)


@pytest.mark.slow
@section("A dataset of images")
def test_images_with_file_names_of_their_own(copy, tmp_path):
    mirror, random = tmp_path / "mirror/letters", np.random.default_rng(0)
    mirror.mkdir(parents=True)
    for images, labels, count in (("letters-for-training", "their-names", 600), ("letters-for-testing", "their-names-too", 100)):
        (mirror / f"{images}.gz").write_bytes(idx(random.integers(0, 256, (count, 28, 28), np.uint8)))
        (mirror / f"{labels}.gz").write_bytes(idx(random.integers(0, 10, count).astype(np.uint8)))
    copy.correct_checksums(mirror)
    copy.run("-m", "stages.download", "--dataset", "letters", mirror=mirror.parent)
    copy.run("-m", "stages.preprocess", "--dataset", "letters")
    assert np.load(copy.folder / "data/processed/letters/train/images.npy").shape[0] == 600
    assert "letters-mlp seed 0" in copy.run("-m", "stages.fit", "--model", "letters-mlp")


def text_recordings(count: int, seed: int) -> bytes:
    """A zip archive of recordings as text, 12x16 pixels and three channels."""
    random, packed = np.random.default_rng(seed), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(count):
            events = np.stack(
                [np.sort(random.integers(0, 12_000, 2000)), *(random.integers(0, size, 2000) for size in (16, 12, 3))], axis=1
            )
            archive.writestr(f"{number % 4}/{number}.txt", "\n".join(",".join(map(str, event)) for event in events.tolist()))
    return packed.getvalue()


@pytest.mark.slow
@section("A dataset of events")
def test_events_in_another_format_from_another_camera(copy, tmp_path):
    mirror = tmp_path / "mirror/gestures"
    mirror.mkdir(parents=True)
    (mirror / "Train.zip").write_bytes(text_recordings(40, seed=0))
    (mirror / "Test.zip").write_bytes(text_recordings(20, seed=1))
    copy.correct_checksums(mirror)
    copy.run("-m", "stages.download", "--dataset", "gestures", mirror=mirror.parent)
    copy.run("-m", "stages.preprocess", "--dataset", "gestures")
    assert "gestures-mlp seed 0" in copy.run("-m", "stages.fit", "--model", "gestures-mlp")


@section("A dataset of events")
def test_a_recording_that_is_wrong_is_named(copy):
    code = "from tsslbp.data.text_events import decode_text\ntry: decode_text(b'5,16,0,0', (3, 12, 16))\nexcept ValueError as error: print(error)"
    assert "outside the frame of 3 channels, 12 rows and 16 columns" in copy.run("-c", code)


@pytest.mark.slow
@section("A loss")
def test_a_loss(copy):
    code = """
import torch
from tsslbp.method.build import build_loss
from tsslbp.settings import Settings, load_settings
from tsslbp.storage.meaning import code_meaning

text = open("params.yaml").read()
old = "loss: {kind: kernel, desired_train: [0, 1, 1, 1, 1]}"
open("params.yaml", "w").write(text.replace(old, "loss: {kind: cross_entropy, temperature: 2.0}", 1))
settings = load_settings("params.yaml")
model = settings.model("mnist-cnn")
loss = build_loss(model, settings.recipe_of("mnist-cnn"))
trace = torch.zeros(5, 2, 10)
trace[:, 0, 3] = 1.0
print(round(loss(trace, torch.tensor([3, 7])).item(), 4))
print(code_meaning("kernel", "cpu"), code_meaning("count", "cuda"))
"""
    value, meanings = copy.run("-c", code).splitlines()
    with_one = np.exp(2.5)  # the label's score is 5 / 2, all others are 0
    assert float(value) == pytest.approx(-np.log(with_one / (with_one + 9)) + np.log(10), abs=1e-4)
    from tsslbp.storage.meaning import code_meaning

    assert meanings.split() == [code_meaning("kernel", "cpu"), code_meaning("count", "cuda")], "a row became stale"


@pytest.mark.slow
@section("A metric per epoch")
def test_a_metric(copy):
    code = """
import torch
from pathlib import Path
from tsslbp.measures import measure
from tsslbp.method.step import Evaluation
from tsslbp.storage.record_files import read_record

print(measure(Evaluation(torch.tensor([[3, 1], [0, 2]]), ()))["balanced_accuracy"])
print(sum(bool(read_record(folder)) for folder in sorted(Path("reports/runs").iterdir()) if folder.is_dir()))
"""
    value, records = copy.run("-c", code).splitlines()
    assert float(value) == pytest.approx((75 + 100) / 2)
    assert int(records) == len([path for path in (ROOT / "reports/runs").iterdir() if path.is_dir()]), "a record is not readable"


@section("A column of the tables")
def test_a_column(copy):
    code = """
from pathlib import Path
from tsslbp.report.origin import read_runs
from tsslbp.report.rows import make_rows
from tsslbp.report.tables.formats import csv_table, latex_table, markdown_table
from tsslbp.report.tables.results import results_table
from tsslbp.settings import load_settings

settings = load_settings("params.yaml")
rows = make_rows(settings, read_runs(settings, Path("reports/runs")))
table = results_table(rows)
for text in (markdown_table(table), latex_table(table, ""), csv_table(table.columns, table.lines)):
    print("worst" in text.lower())
print(min(row.worst for row in rows if row.model == "fashion-mlp"))
"""
    *shown, worst = copy.run("-c", code).splitlines()
    assert shown == ["True"] * 3
    assert 85 < float(worst) < 92


@section("A peer in the benchmark")
def test_a_peer(copy):
    code = """
import torch
from benchmarks.peers import Constants, find_peers, module_of

peer = next(peer for peer in find_peers() if peer.name == "plain-torch")
layer = module_of(peer.name).neurons(peer.variants[0], Constants(5.0, 3.0, 1.0))
current = torch.rand(6, 2, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
spikes = layer(current)
spikes.sum().backward()
print(sorted(set(spikes.detach().round(decimals=5).flatten().tolist())), bool(current.grad.abs().sum() > 0))
"""
    assert copy.run("-c", code).strip() == "[0.0, 1.0] True"


@pytest.mark.slow
@section("A gradient rule")
def test_a_gradient_rule(copy):
    code = """
import torch
from tsslbp.method.neuron import cpu, reference
from tsslbp.method.neuron.rules import Neuron
from tsslbp.settings import Recipe

Recipe(gradient="wide-warmup", target_filterings=2, convolution_init="uniform")
current, arrived = (torch.rand(6, 2, 30, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in (0, 1))
for name in ("wide-warmup", "2021-03"):
    one, other = (module.spike_backward(current, arrived, torch.tensor(0.5), Neuron(5.0, 3.0, 1.0, name), None, 1) for module in (cpu, reference))
    print(torch.allclose(one, other), one.sum().item())
"""
    (wide, wide_sum), (usual, usual_sum) = (line.split() for line in copy.run("-c", code).splitlines())
    assert (wide, usual) == ("True", "True")
    assert wide_sum != usual_sum


@pytest.mark.slow
@section("A variant in the paired comparison")
def test_a_variant_has_its_place_in_the_findings_and_differs_in_what_its_name_says(copy):
    copy.add("A gradient rule")
    code = """
from pathlib import Path
from stages.report import gather
from tsslbp.report.readme import markers, readme_parts
from tsslbp.settings import load_settings

found = gather(Path("params.yaml"), load_settings("params.yaml"))
parts, page = readme_parts(found.rows, found.studies, found.runs), Path("docs/findings.md").read_text()
print(parts["variant mine"])
print([name for name in parts if name != "results" and any(page.count(marker) != 1 for marker in markers(name))])
"""
    assert copy.run("-c", code).splitlines() == ["- fashion-mlp, Fashion-MNIST: not run.", "[]"]
    assert "1 passed" in copy.run("-m", "pytest", "-p", "no:cacheprovider", "tests/pipeline/test_studies.py", "-k", "change_the_one_thing")


@pytest.mark.slow
@section("A training loop of your own")
def test_a_training_loop_of_ones_own(copy):
    folder, random = copy.folder / "data/processed/fashion_mnist", np.random.default_rng(0)
    counts = {"train_samples": 200, "test_samples": 100}
    for part, count in zip(("train", "test"), counts.values(), strict=True):
        (folder / part).mkdir(parents=True)
        labels = random.integers(0, 10, count).astype(np.uint8)
        np.save(folder / part / "labels.npy", labels)
        images = np.zeros((count, 1, 28, 28), np.uint8)
        images[np.arange(count), 0, 2 * labels] = 255  # a row of each image tells its class
        np.save(folder / part / "images.npy", images)
    record = {"dataset": "fashion_mnist", "title": "Fashion-MNIST", "checksum": "", "shape": [1, 28, 28], "classes": 10}
    (folder / "data.json").write_text(json.dumps(record | counts))
    *_, last = copy.run("my_method.py").splitlines()
    assert last.startswith("epoch 100: ")
    assert float(last.split()[2]) > 90


def test_every_section_with_code_is_carried_out():
    carried_out = set(re.findall(r'^@section\("(.+)"\)', Path(__file__).read_text(encoding="utf-8"), re.MULTILINE))
    assert {title for title, text in SECTIONS.items() if "```" in text} == carried_out


def test_every_block_names_its_file():
    assert len(BLOCK.findall(PAGE)) == len(re.findall(r"^```\w+", PAGE, re.MULTILINE)) > 10
