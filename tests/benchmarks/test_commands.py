"""The benchmark's commands: threads and cores of a container, idle threads, an interrupt."""

import os
import subprocess
import sys

import pytest

from benchmarks import __main__, machine, neurons, ray_engine, run, step_profile
from benchmarks.full_size import __main__ as full_size
from benchmarks.processes import job
from benchmarks.processes.job import Job, environment_of, with_environment
from benchmarks.roster import LOWER_BOUND, NOT_COMPILED, OURS
from tests.benchmarks.builders import small
from tests.support.paths import ROOT

PARAMS = ["--params", str(ROOT / "params.yaml")]


def test_threads_and_memory_are_those_of_the_container(monkeypatch):
    monkeypatch.setattr(machine, "usable_cores", lambda: 3)
    monkeypatch.setattr(machine, "usable_memory", lambda: 5 * 2**30)
    assert machine.available_threads() == 3
    assert dict(machine.conditions(1, ["benchmarks"], ROOT).facts)["cores and memory"] == "3 cores, 5 GiB"


def test_too_many_threads_are_refused_before_anything_starts(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "run", lambda *_: pytest.fail("started"))
    assert __main__.main([*PARAMS, "--threads", "100000", "--output", str(tmp_path)]) == 1
    assert "got 100000, but this process may use" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "folder"), [((), "reports"), (("--threads", "1"), ".scratch"), (("--quick",), ".scratch")])
def test_only_everything_on_all_cores_goes_to_the_committed_numbers(arguments, folder, monkeypatch):
    written = []
    monkeypatch.setattr(__main__, "available_threads", lambda: 2)
    monkeypatch.setattr(__main__, "check_threads", lambda _: None)
    monkeypatch.setattr(run, "run", lambda _plan, folder, *_: written.append(folder) or True)
    assert __main__.main([*PARAMS, *arguments]) == 0
    assert [path.relative_to(path.parents[1]).parts for path in written] == [(folder, "benchmark")]


@pytest.mark.parametrize(("of_user", "ours", "peers"), [(None, "2000", "300000"), ("7", "7", "7")])
def test_idle_threads_of_the_libraries_wait_as_gnu_openmp_has_it(of_user, ours, peers, settings, monkeypatch):
    monkeypatch.setattr(job, "SPIN_COUNT_OF_USER", of_user)
    monkeypatch.setenv("GOMP_SPINCOUNT", ours)
    entries = (OURS, LOWER_BOUND, NOT_COMPILED[0])
    values = [(os.environ | environment_of(Job(small(settings), entry, 1)))["GOMP_SPINCOUNT"] for entry in entries]
    assert values == [ours, ours, peers]


@pytest.mark.parametrize(("given", "told"), [({}, "None"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_what_the_user_set_is_known_though_this_project_sets_it_too(given, told):
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | given
    code = "import benchmarks.machine, os; print(benchmarks.SPIN_COUNT_OF_USER, os.environ['GOMP_SPINCOUNT'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [told, given.get("GOMP_SPINCOUNT", "2000")]


def test_a_process_is_started_with_its_variables_and_this_one_keeps_its_own(monkeypatch, settings):
    monkeypatch.setenv("GOMP_SPINCOUNT", "1")
    with with_environment({"GOMP_SPINCOUNT": "2", "NONE_SUCH": "3"}):
        assert (os.environ["GOMP_SPINCOUNT"], os.environ["NONE_SUCH"]) == ("2", "3")
    assert os.environ["GOMP_SPINCOUNT"] == "1"
    assert "NONE_SUCH" not in os.environ


def test_a_peers_process_gets_the_value(monkeypatch, settings):
    from benchmarks.processes import worker

    seen = []
    monkeypatch.setattr(job, "SPIN_COUNT_OF_USER", None)
    monkeypatch.setenv("GOMP_SPINCOUNT", "2000")
    monkeypatch.setattr(worker, "get_context", lambda _: Recording(seen))
    for entry in (OURS, NOT_COMPILED[0]):
        worker.TorchWorker(Job(small(settings), entry, 1))
    assert seen == ["2000", "300000"]


class Recording:
    """A context of processes that notes the variable when one of them starts."""

    def __init__(self, seen):
        self._seen = seen

    def Pipe(self):  # noqa: N802
        return self, self

    def Process(self, **_):  # noqa: N802
        return self

    def start(self):
        self._seen.append(os.environ["GOMP_SPINCOUNT"])

    def close(self):
        pass


def test_two_percent_of_few_cores_or_half_a_core_of_many_disturb():
    assert machine.busy_share(2) == 0.02
    assert 64 * machine.busy_share(64) == 0.5


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        (step_profile, "measure", PARAMS),
        (full_size, "measure", PARAMS),
        (neurons, "measure", []),
        (ray_engine, "overhead", ["overhead"]),
    ],
)
def test_an_interrupt_is_one_line(module, name, arguments, tmp_path, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, name, interrupt)
    monkeypatch.setattr(neurons, "prepare_device", lambda _: None)
    monkeypatch.setattr(neurons, "keep_large_blocks", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert module.main(arguments) == 130
    assert capsys.readouterr().err == f"{module.__name__.removesuffix('.__main__')}: interrupted\n"


def test_no_turns_of_the_engines_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(ray_engine, "overhead", lambda _: pytest.fail("started"))
    with pytest.raises(SystemExit, match="2"):
        ray_engine.main(["overhead", "--turns", "0"])
