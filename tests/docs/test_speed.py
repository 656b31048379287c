"""What the page on speed says, held against the committed numbers."""

import csv
import re
import subprocess
import sys

from benchmarks.page.report import METHOD
from tests.docs.pages import page, table_row
from tests.support.paths import ROOT

NOT_COMPILED = ("norse", "snntorch", "spikingjelly")


def rows(name: str) -> list[dict[str, str]]:
    with (ROOT / "reports/benchmark" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def text_of(name: str) -> str:
    """A page without its line breaks."""
    return " ".join(page(name).split())


def test_inference_is_not_measured_through_torch_compile_and_the_texts_say_so():
    infer = {row["implementation"] for row in rows("results.csv") if row["mode"] == "infer"}
    assert infer and not any("compiled" in name for name in infer)
    assert "inference as they are and under `jax.jit`, not through `torch.compile`" in " ".join(METHOD.split())
    assert "Training is also measured through `torch.compile`; inference is not." in text_of("docs/speed.md")


def test_samples_are_synthetic_and_the_page_says_so():
    assert {row["samples"] for row in rows("results.csv") if row["seconds_median"]} == {"synthetic"}
    assert "All of its samples are synthetic" in text_of("docs/speed.md")


def test_the_page_of_results_ends_with_the_method():
    assert page("reports/benchmark/results.md").endswith(f"## How it was measured\n\n{METHOD}\n")


def test_the_method_is_told_alike_on_many_cores():
    code = "import os; os.cpu_count = lambda: 64; from benchmarks.page.report import METHOD; print(METHOD)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == f"{METHOD}\n"


def memory(case: str) -> dict[str, int]:
    """Bytes above the base, by implementation."""
    there = [row for row in rows("results.csv") if row["case"] == case and row["mode"] == "train" and row["seconds_median"]]
    return {row["implementation"]: int(row["peak_memory_bytes"]) - int(row["memory_after_imports_bytes"]) for row in there}


def ratio(case: str, batches: int = 0) -> float:
    """This project's memory beside the most frugal library's that is not compiled, without its batches."""
    found = memory(case)
    return found["tsslbp"] / (min(found[name] for name in NOT_COMPILED) - batches)


def test_the_range_of_memory_is_that_of_the_numbers():
    text = text_of("docs/speed.md")
    networks = ("mnist-cnn", "fashion-cnn", "nmnist-cnn-t30", "nmnist-cnn-t100", "cifar10-cnn")
    ratios = sorted(ratio(case) for case in networks)
    assert f"is {ratios[0]:.2f} to {ratios[-1]:.2f} times that of the most frugal library" in text
    assert f"{ratio('fashion-mlp'):.2f} times on 400-400" in text
    floats = {steps: 4 * 50 * steps * 2 * 34 * 34 * 4 for steps in (30, 100)}  # four batches of 50, in float32
    assert f"{floats[30] // 10**6} MB with T = 30 and {floats[100] / 1e6:.0f} MB with T = 100" in text
    less = [ratio(f"nmnist-cnn-t{steps}", size) for steps, size in floats.items()]
    assert f"without them it is {less[0]:.2f} and {less[1]:.2f} times" in text


def slower(start: str) -> list[tuple[str, float]]:
    """What the page of results lists as faster than this project: library and factor."""
    (line,) = [line for line in page("reports/benchmark/results.md").splitlines() if line.startswith(start)]
    return [(name, float(factor)) for name, factor in re.findall(r"(?:: |, )([^:]+?) [\d.]+ ([\d.]+) times as fast", line)]


def test_whatever_is_faster_by_the_results_is_on_the_page():
    """A factor is told by all of its digits or the first two."""
    listed = text_of("docs/speed.md").partition("**What is slower here than elsewhere.**")[2].partition(" - **")[0]
    lines = re.findall(r"^- (\S+, (?:training|inference)): ", page("reports/benchmark/results.md"), re.MULTILINE)
    assert len(lines) >= 5
    assert all(slower(f"- {line}") for line in lines)
    for name, factor in [pair for line in lines for pair in slower(f"- {line}")]:
        library = name.split(",")[0].split(" (")[0]
        assert library in listed
        assert f"{factor:.2f}" in listed or f"{factor:.1f} times" in listed, (name, factor)


def test_where_a_library_takes_less_memory_is_on_the_page():
    text = text_of("docs/speed.md")
    found = memory("linear-lif-512")
    assert f"snnTorch takes {found['snntorch'] / 1e6:.0f} MB, this project {found['tsslbp'] / 1e6:.0f}" in text
    for case in ("lif-16384", "linear-lif-16384"):
        assert f"{memory(case)['plain-jax'] / memory(case)['tsslbp']:.2f} times" in text
    assert len(re.findall(r"^- \S+, memory: ", page("reports/benchmark/results.md"), re.MULTILINE)) == 3


def test_shares_of_a_step_are_those_of_the_profile():
    shares = {}
    for row in rows("profile.csv"):
        parts = {name: float(value) for name, value in row.items() if name != "case"}
        products = parts["products forward"] + parts["products backward"]
        shares[row["case"]] = 100 * products / sum(parts.values())
    said = f"take {shares['fashion-mlp']:.0f} % of a step on 400-400, {shares['mnist-cnn']:.0f} % on 15C5-P2-40C5-P2-300"
    assert said in text_of("docs/speed.md")


def test_two_runs_of_one_network_are_told_as_measured():
    (there,) = [row for row in rows("results.csv") if (row["case"], row["mode"], row["implementation"]) == ("mnist-cnn", "train", "tsslbp")]
    (parts,) = [row for row in rows("profile.csv") if row["case"] == "mnist-cnn"]
    profile = sum(float(value) for name, value in parts.items() if name != "case")
    text = text_of("docs/speed.md")
    assert f"{1e3 * float(there['seconds_median']):.1f} ms in this run and {1e3 * profile:.1f} ms in [the profile]" in text


def training(case: str) -> dict[str, float]:
    """Seconds of a step, by implementation."""
    there = [row for row in rows("results.csv") if row["case"] == case and row["mode"] == "train" and row["seconds_median"]]
    return {
        row["implementation"]: float(row["seconds_median"])
        for row in there
        if not row["implementation"].startswith(("lower-bound", "tsslbp-"))
    }


def test_the_table_of_throughput_is_that_of_the_numbers():
    text, rates, not_compiled, of_all = page("docs/speed.md"), [], [], []
    for case in ("fashion-mlp", "mnist-cnn", "fashion-cnn", "nmnist-cnn-t30", "nmnist-cnn-t100", "cifar10-cnn"):
        seconds = training(case)
        own = seconds.pop("tsslbp")
        rate = (100 if case == "fashion-mlp" else 50) / own
        rates.append(f"{rate:,.{1 if rate < 100 else 0}f}")
        not_compiled.append(f"{min(seconds[name] for name in NOT_COMPILED if name in seconds) / own:.2f}")
        of_all.append(f"{min(seconds.values()) / own:.2f}")
    assert table_row(text, "samples per second") == rates
    assert table_row(text, "times the fastest library that is not compiled") == not_compiled
    assert table_row(text, "times the fastest of all") == of_all


def test_the_minutes_of_a_row_are_those_measured():
    minutes = {row["way"]: float(row["minutes"]) for row in rows("row.csv")}
    side, turn = minutes["side by side"], minutes["in turn"]
    said = f"would take {side:.0f} minutes two at a time with one thread each, the default, and {turn:.0f} minutes in turn"
    assert said in text_of("docs/speed.md")
    assert f"{side / turn:.2f} times as long" in text_of("docs/speed.md")
