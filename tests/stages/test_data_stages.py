import argparse
import io
import os
import subprocess
import sys

import numpy as np
import pytest
import yaml
from rich.console import Console

from stages.common import run, worker_count
from stages.display import ScreenProgress, describe
from tests.support.paths import ROOT
from tsslbp.data.images import IMAGE_FILES
from tsslbp.settings import Execution


@pytest.fixture
def params(tmp_path):
    """The quickstart's settings, with all folders inside of the test's own."""
    settings = yaml.safe_load((ROOT / "quickstart/params.yaml").read_text())
    settings["folders"] = {name: str(tmp_path / name) for name in settings["folders"]}
    settings["datasets"]["letters"] = settings["datasets"]["digits"] | {
        "kind": "idx",
        "files": [{"name": f"{name}.gz", "md5": "0" * 32, "urls": []} for name in IMAGE_FILES],
    }
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def stage(name, *arguments, **environment):
    command = [sys.executable, "-m", f"stages.{name}", *map(str, arguments)]
    clean = {key: value for key, value in os.environ.items() if key != "TSSLBP_MIRROR"}
    return subprocess.run(command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=100)


def test_digits_from_nothing_to_arrays(params, tmp_path):
    for name in ("download", "preprocess"):
        done = stage(name, "--params", params, "--dataset", "digits")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "1,437 training and 360 test samples" in done.stderr
    assert np.load(tmp_path / "data/processed/digits/train/images.npy").shape == (1437, 1, 28, 28)


def test_a_link_in_place_of_the_arrays_is_refused_at_the_start_and_one_around_them_is_not(params, tmp_path):
    elsewhere, processed = tmp_path / "elsewhere", tmp_path / "data/processed"
    elsewhere.mkdir()
    processed.mkdir(parents=True)
    (processed / "digits").symlink_to(elsewhere)
    command = ("preprocess", "--params", params, "--dataset", "digits")
    done = stage(*command)
    assert done.returncode == 1
    assert f"{processed}/digits: is a symbolic link" in done.stderr
    assert f"make {processed} a link instead" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (processed / "digits").unlink()
    processed.rmdir()
    processed.symlink_to(elsewhere)
    assert stage("download", *command[1:]).returncode == stage(*command).returncode == 0
    assert (elsewhere / "digits/data.json").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "code", "message"),
    [
        ("download", ["--dataset", "letters"], 1, "set TSSLBP_MIRROR to a folder that holds letters/train-images-idx3-ubyte.gz"),
        ("download", ["--dataset", "mnost"], 1, "unknown dataset 'mnost'; allowed: digits, letters, ndigits"),
        ("preprocess", ["--dataset", "digits"], 1, "train-images-idx3-ubyte: missing; run the download stage of digits"),
        ("preprocess", ["--dataset", "digits", "--params", "nowhere.yaml"], 1, "nowhere.yaml: cannot be read"),
        ("preprocess", ["--datasets-all"], 2, "usage:"),
    ],
)
def test_a_user_s_mistake_gives_a_message_and_no_traceback(params, name, arguments, code, message):
    done = stage(name, "--params", params, *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mirror_that_is_not_a_folder_is_told(params):
    done = stage("download", "--params", params, "--dataset", "letters", TSSLBP_MIRROR="/no/such/folder")
    assert "warning: TSSLBP_MIRROR is /no/such/folder, which is not a folder" in done.stderr
    assert "/no/such/folder/letters/train-images-idx3-ubyte.gz: missing" in done.stderr
    assert done.returncode == 1


def outcome(params, error, *arguments):
    def main(settings, options):
        if error is not None:
            raise error

    with pytest.raises(SystemExit) as ended:
        run(main, argparse.ArgumentParser(prog="stage"), ["--params", str(params), *arguments])
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (None, 0, ""),
        (ValueError("what is wrong"), 1, "stage: what is wrong\n"),
        (OSError(28, "No space left on device", "data/x"), 1, "stage: [Errno 28] No space left on device: 'data/x'\n"),
        (MemoryError(), 1, "stage: not enough memory\n"),
        (KeyboardInterrupt(), 130, "stage: interrupted; the same command goes on from here\n"),
    ],
)
def test_exit_codes_and_messages(params, capsys, error, code, message):
    assert outcome(params, error) == code
    assert capsys.readouterr().err == message


def test_an_error_of_the_code_itself_keeps_its_traceback(params):
    with pytest.raises(KeyError):
        run(lambda settings, options: {}["missing"], argparse.ArgumentParser(), ["--params", str(params)])
    with pytest.raises(ValueError, match="shown"):
        main_error = ValueError("shown")

        def main(settings, options):
            raise main_error

        run(main, argparse.ArgumentParser(), ["--params", str(params), "--traceback"])


def test_workers_are_the_settings_or_one_a_core():
    assert worker_count(Execution(workers=3)) == 3
    assert 1 <= worker_count(Execution()) <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("done", "total", "unit", "seconds", "text"),
    [
        (12_288, 60_000, "recordings", 10.0, "12,288 of 60,000 recordings, 39 s left"),
        (0, 10, "recordings", 1.0, "0 of 10 recordings"),
        (5, None, "recordings", 1.0, "5 recordings"),
        (5_000_000, 10_000_000, "bytes", 2.0, "5.0 MB of 10.0 MB, 2 s left"),
        (12, 10, "recordings", 2.0, "12 of 10 recordings, 0 s left"),
    ],
)
def test_how_far_work_is_in_words(done, total, unit, seconds, text):
    assert describe(done, total, unit, seconds) == text


def test_without_a_terminal_progress_is_plain_lines():
    written = io.StringIO()
    progress = ScreenProgress(Console(file=written), interval=0.0)
    progress.say("[bold] is no markup")
    with progress.track("Train.zip", 4, "recordings") as advance:
        advance(1)
        advance(3)
    lines = written.getvalue().splitlines()
    assert lines[0] == "[bold] is no markup"
    assert [line.split(",")[0] for line in lines[1:]] == ["Train.zip: 1 of 4 recordings", "Train.zip: 4 of 4 recordings"]


def test_a_download_that_goes_on_is_as_fast_as_what_it_fetches_now(monkeypatch):
    clock = iter([0.0, 0.0, 10.0])
    monkeypatch.setattr("stages.display.time.monotonic", lambda: next(clock))
    written = io.StringIO()
    with ScreenProgress(Console(file=written), interval=10.0).track("Train.zip", 1_000_000, "bytes") as advance:
        advance(500_000)  # fetched by an earlier run
        advance(100_000)
    assert written.getvalue() == "Train.zip: 600.0 kB of 1.0 MB, 40 s left\n"


def test_lines_come_no_faster_than_asked():
    written = io.StringIO()
    with ScreenProgress(Console(file=written), interval=60.0).track("Train.zip", 1000, "recordings") as advance:
        for _ in range(1000):
            advance(1)
    assert written.getvalue() == ""


def test_on_a_terminal_progress_is_a_bar():
    written = io.StringIO()
    with ScreenProgress(Console(file=written, force_terminal=True, width=80)).track("Train.zip", 4, "recordings") as advance:
        advance(4)
    assert "Train.zip" in written.getvalue()
    assert "4/4" in written.getvalue()
