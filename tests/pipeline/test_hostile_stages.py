"""Hostile files through the stages: one line that names the file, exit code 1, no code run, nothing written elsewhere."""

import gzip
import hashlib
import io
import pickle
import re
import struct
import tarfile
import zipfile

import pytest
import torch
import yaml

from tests.fuzzing.fire import CodeRan, code_ran
from tests.support.faulty_server import serving, status, whole
from tests.support.in_process import run_stage
from tests.support.project import MODEL, Project
from tsslbp.data.kinds import KINDS

SHAPES = {"cifar": [3, 32, 32], "events": [2, 34, 34], "idx": [1, 4, 5]}


class Malice:
    def __reduce__(self):
        return code_ran, ("touch",)


def cifar(batch: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(batch)
            archive.addfile(info, io.BytesIO(batch))
    return file.getvalue()


def zipped(name: str | zipfile.ZipInfo, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, data, method)
    return file.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


def idx(*header: int) -> bytes:
    return gzip.compress(struct.pack(">HBB", 0, 8, len(header)) + struct.pack(f">{len(header)}I", *header) + b"1234")


HOSTILE = {
    "a pickle that runs code": ("cifar", cifar(pickle.dumps({"data": Malice()}, 2)), r"refused: it asks for tests\.fuzzing\.fire"),
    "a way out": ("events", zipped("../../0/1.bin", bytes(5)), "leads out"),
    "a way to the root": ("events", zipped("/0/1.bin", bytes(5)), "leads out"),
    "a link": ("events", zipped(link("0/1.bin"), b"/etc/passwd"), "is a link"),
    "a bomb": ("events", zipped("0/1.bin", bytes(5_000_000)), "claims 5,000,000 bytes"),
    "a bomb that does not say so": ("events", zipped("0/1.bin", bytes(5_000_000), zipfile.ZIP_BZIP2), "packed by method 12|claims"),
    "a pixel beyond the sensor": ("events", zipped("0/1.bin", b"\xff" * 5), r"1\.bin.*x=255, y=255"),
    "sizes beyond everything": ("idx", idx(*[(1 << 32) - 1] * 3), "missing bytes"),
    "an html page": ("idx", b"<!DOCTYPE html>", "damaged"),
}


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def add_dataset(project: Project, kind: str, data: bytes, urls: tuple[str, ...] = ()) -> None:
    """A dataset of this kind whose every file holds these bytes, with their right checksum."""
    settings = yaml.safe_load(project.params.read_text())
    channels = 0 if kind == "events" else SHAPES[kind][0]
    names = list(KINDS[kind].files.values())
    settings["datasets"]["hostile"] = {
        "title": "H",
        "kind": kind,
        "shape": SHAPES[kind],
        "classes": 10,
        "train_samples": 5,
        "test_samples": 5,
        "mean": [0.5] * channels,
        "std": [0.5] * channels,
        **({"time_steps": 30, "window_us": 3000, "stabilize": True} if kind == "events" else {}),
        "files": [{"name": name, "md5": hashlib.md5(data).hexdigest(), "urls": list(urls)} for name in names],
    }
    project.params.write_text(yaml.safe_dump(settings))
    (project.folder / "data/raw/hostile").mkdir(parents=True)


def fails_with_one_line(project: Project, capsys, *command: str, left: frozenset[str] = frozenset()) -> str:
    """Run a stage that has to fail, and to leave nothing new but what it is allowed to; its message."""
    above = project.folder.parent
    before = set(above.rglob("*"))
    capsys.readouterr()
    assert run_stage(project.folder, *command) == 1
    assert set(above.rglob("*")) == before | {project.folder / path for path in left}
    assert all((project.folder / path).stat().st_size == 0 for path in left if path.endswith(".lock"))
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_one_line_and_nothing_else(project, capsys, case):
    kind, data, message = HOSTILE[case]
    add_dataset(project, kind, data)
    for name in KINDS[kind].files.values():
        (project.folder / "data/raw/hostile" / name).write_bytes(data)
    left = frozenset({"data/.preprocess-hostile.lock", "data/processed"})
    line = fails_with_one_line(project, capsys, "preprocess", "--dataset", "hostile", left=left)
    assert f"data/raw/hostile/{next(iter(KINDS[kind].files.values()))}" in line
    assert re.search(message, line), line


@pytest.fixture(scope="module")
def trained(tmp_path_factory, empty_database):
    project = Project(tmp_path_factory.mktemp("hostile") / "project", empty_database, epochs=1)
    project.change("seeds: [0, 1]", "seeds: [0]")
    for stage, what in (("download", "--dataset=digits"), ("preprocess", "--dataset=digits"), ("fit", f"--model={MODEL}")):
        assert run_stage(project.folder, stage, what) == 0
    return project


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_checkpoint_that_would_run_code_stops_the_stage_and_runs_nothing(trained, capsys, save):
    checkpoint = next((trained.folder / ".scratch" / MODEL).glob("*/seed-0.pt"))
    save({"key": Malice(), "history": []}, checkpoint)
    with pytest.raises(CodeRan):
        torch.load(checkpoint, weights_only=False)
    planted = checkpoint.read_bytes()
    assert "seed-0.pt: is damaged or not a checkpoint" in fails_with_one_line(trained, capsys, "fit", "--model", MODEL)
    assert checkpoint.read_bytes() == planted


def test_weights_that_would_run_code_are_refused_and_run_nothing(trained, capsys):
    path = trained.folder / "evil.safetensors"
    path.write_bytes(pickle.dumps(Malice()))
    assert "evil.safetensors: cannot be read" in fails_with_one_line(trained, capsys, "train", "--model", MODEL, "--evaluate", str(path))


@pytest.mark.parametrize("text", ["seeds: [1", "models: \t{", "a: !!python/object/apply:os.system ['touch here']", "\0", "x: &a [*b]", "1"])
def test_settings_that_are_no_yaml_are_one_line(project, capsys, text):
    project.params.write_text(text)
    line = fails_with_one_line(project, capsys, "fit", "--model", MODEL)
    assert "params.yaml" in line
    assert line.isprintable()


def test_the_download_stage_takes_the_sources_in_their_order_and_replaces_what_is_corrupted(project, capsys, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TSSLBP_MIRROR", raising=False)
    with serving() as server:
        urls = server.at("/first", status(404)), server.at("/page", whole(b"<html>")), server.at("/right", whole(b"letters"))
        add_dataset(project, "cifar", b"letters", urls)
        assert run_stage(project.folder, "download", "--dataset", "hostile") == 0
        assert [path for path, _ in server.requests] == ["/first", "/page", "/right"]
        raw = project.folder / "data/raw/hostile" / KINDS["cifar"].files["archive"]
        raw.write_bytes(b"lettres")
        assert run_stage(project.folder, "download", "--dataset", "hostile") == 0
        assert raw.read_bytes() == b"letters"
    assert "set aside" in capsys.readouterr().err
