"""Cores and memory of the machine and of the container around the process."""

import os
import resource
import subprocess
import sys

import pytest

from tsslbp.limits import available_memory, core_numbers, peak_memory, resident_memory, usable_cores, usable_memory

MEMINFO = "MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\n"


def write(root, **files):
    """A root with these files; two underscores in a name stand for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_machine_itself_has_a_core_and_memory():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
    memory = available_memory()
    assert memory is None or memory > 1_000_000


def test_without_control_groups_the_machine_decides(tmp_path):
    write(tmp_path, proc__meminfo=MEMINFO)
    assert available_memory(tmp_path) == 4_000_000 * 1024
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))


def test_where_nobody_says_how_much_memory_there_is(tmp_path):
    assert available_memory(tmp_path) is None
    assert usable_memory(tmp_path) > 2**40


def test_a_limit_of_the_process_counts(version_2, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (2_000_000, resource.RLIM_INFINITY))
    assert usable_memory(version_2[0]) == 2_000_000


@pytest.fixture
def version_2(tmp_path):
    write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/pod/box\n")
    group = tmp_path / "sys/fs/cgroup/pod/box"
    group.mkdir(parents=True)
    return tmp_path, group


def test_a_limit_of_the_container_counts_and_its_cached_files_give_way(version_2):
    root, group = version_2
    write(group, **{"memory.max": "1000\n", "memory.current": "900\n", "memory.stat": "anon 500\ninactive_file 400\n"})
    assert available_memory(root) == 500
    assert usable_memory(root) == 1000


def test_no_limit_is_none(version_2):
    root, group = version_2
    write(group, **{"memory.max": "max\n", "memory.current": "900\n", "cpu.max": "max 100000\n"})
    assert available_memory(root) == 4_000_000 * 1024
    assert usable_memory(root) == 8_000_000 * 1024
    assert usable_cores(root) == len(os.sched_getaffinity(0))


def test_a_limit_around_the_container_counts_too(version_2):
    root, group = version_2
    write(group.parent, **{"memory.max": "700\n", "memory.current": "0\n"})
    assert available_memory(root) == 700
    assert usable_memory(root) == 700


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000", 1), ("50000 100000", 1), ("99000000 100000", None)])
def test_a_quota_of_processor_time_is_so_many_cores(version_2, quota, cores):
    root, group = version_2
    write(group, **{"cpu.max": quota})
    assert usable_cores(root) == (cores or len(os.sched_getaffinity(0)))
    assert set(core_numbers(root)) <= os.sched_getaffinity(0)


def test_cores_have_the_numbers_that_the_system_gave_them(monkeypatch, version_2):
    root, group = version_2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 3, 5})
    assert core_numbers(root) == [3, 5, 7]
    write(group, **{"cpu.max": "200000 100000"})
    assert core_numbers(root) == [3, 5]


def test_control_groups_of_version_1(tmp_path):
    write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="4:memory:/batch/job\n1:name=systemd:/\n")
    group = tmp_path / "sys/fs/cgroup/memory/batch/job"
    write(
        group,
        **{"memory.limit_in_bytes": "2000", "memory.usage_in_bytes": "1500", "memory.stat": "total_inactive_file 100\ninactive_file 7\n"},
    )
    assert available_memory(tmp_path) == 600
    assert usable_memory(tmp_path) == 2000


@pytest.mark.parametrize(("quota", "cores"), [("200000", [3, 5]), ("50000", [3]), ("-1", [3, 5, 7])])
@pytest.mark.parametrize("around", ["", "/docker", "/docker/box"])
def test_a_quota_of_version_1_is_so_many_cores(tmp_path, monkeypatch, quota, cores, around):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    write(tmp_path, proc__self__cgroup="9:cpu,cpuacct:/docker/box\n4:memory:/docker/box\n1:name=systemd:/docker/box\n")
    group = tmp_path / f"sys/fs/cgroup/cpu,cpuacct{around}"
    write(group, **{"cpu.cfs_quota_us": f"{quota}\n", "cpu.cfs_period_us": "100000\n"})
    assert core_numbers(tmp_path) == cores


def test_controllers_of_version_1_may_share_a_folder_in_another_order(tmp_path):
    write(tmp_path, proc__self__cgroup="4:cpuacct,cpu:/batch/job\n")
    folder = tmp_path / "sys/fs/cgroup/cpu,cpuacct"
    write(folder / "batch/job", **{"cpu.cfs_quota_us": "100000\n", "cpu.cfs_period_us": "100000\n"})
    (folder.parent / "cpu").symlink_to(folder.name)
    assert usable_cores(tmp_path) == 1


def test_the_peak_is_the_processs_own_and_not_that_of_the_one_which_started_it():
    program = "from tsslbp.limits import peak_memory; print(peak_memory())"
    before = peak_memory()
    large = b"1" * 300_000_000
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert peak_memory() >= max(before, len(large))
    assert 1_000_000 < int(child.stdout) < 200_000_000


def test_the_peak_where_there_is_no_proc(tmp_path):
    assert peak_memory(tmp_path) >= peak_memory() // 2
    assert 0 < resident_memory() <= peak_memory()
    assert resident_memory(tmp_path) == peak_memory(tmp_path)
