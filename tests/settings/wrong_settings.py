"""Settings with one thing wrong, and what is said of it."""

import copy
from collections.abc import Callable
from typing import Any

import yaml

from tests.support.paths import ROOT

RAW: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    raw = copy.deepcopy(RAW)
    change(raw)
    return raw


def model(**settings: Any) -> Change:
    return lambda raw: raw["models"]["mnist-cnn"].update(settings)


WRONG: dict[str, tuple[Change, str]] = {
    "text for a number": (model(epochs="ten"), r"models\.mnist-cnn\.epochs: got 'ten' \(str\); allowed: a whole number"),
    "a number in quotes": (model(learning_rate="0.001"), r"models\.mnist-cnn\.learning_rate: got '0\.001' \(str\); allowed: a number$"),
    "a number with the minus sign of a paper": (
        model(learning_rate="5e\u22124"),
        r"models\.mnist-cnn\.learning_rate: got '5e−4' \(str\); allowed: a number; '−' is U\+2212 \(MINUS SIGN\); type '-'",
    ),
    "true is not a number": (model(batch_size=True), r"models\.mnist-cnn\.batch_size: got True \(bool\)"),
    "not finite": (model(learning_rate=float("inf")), r"models\.mnist-cnn\.learning_rate: got inf"),
    "unknown": (model(epohcs=3), r"models\.mnist-cnn\.epohcs: unknown setting; allowed here: .*epochs"),
    "no model": (lambda raw: raw.update(models={}, published={}), r"models: allowed: at least 1 name below it, with its settings$"),
    "counts in each other's place": (
        model(loss={"kind": "count", "desired_count": 0, "undesired_count": 3}),
        r"models\.mnist-cnn: loss\.desired_count is 0, but undesired_count is 3; give the first the larger count",
    ),
    "two equal counts": (model(loss={"kind": "count", "desired_count": 3, "undesired_count": 3}), r"is 3, but undesired_count is 3;"),
    "unknown in a loss": (
        lambda raw: raw["models"]["mnist-cnn"]["loss"].update(desired=3),
        r"models\.mnist-cnn\.loss\.desired: unknown setting; allowed here: desired_train, kind",
    ),
    "unknown at the top": (lambda raw: raw.update(seed=[1]), r"seed: unknown setting; allowed here: .*seeds"),
    "unknown in a file": (
        lambda raw: raw["datasets"]["mnist"]["files"][0].update(sha=1),
        r"datasets\.mnist\.files\.0\.sha: unknown setting; allowed here: md5, name, role, subsets, urls",
    ),
    "missing": (lambda raw: raw["models"]["mnist-cnn"].pop("loss"), r"models\.mnist-cnn\.loss: missing"),
    "missing section": (lambda raw: raw.pop("training"), "training: missing"),
    "no such dataset": (model(dataset="mmnist"), r"models\.mnist-cnn\.dataset: got 'mmnist'; allowed: cifar10, fashion_mnist"),
    "no such recipe": (model(recipe="2022"), r"models\.mnist-cnn\.recipe: got '2022'; allowed: 2020-06, 2020-10"),
    "no such model": (lambda raw: raw["published"].update(new=raw["published"]["mnist-cnn"]), r"published\.new: no such model"),
    "no such gradient": (lambda raw: raw["recipes"]["2021-03"].update(gradient="x"), r"recipes\.2021-03\.gradient: got 'x' \(str\)"),
    "no such layer": (model(architecture="15C5-P2-2X"), r"models\.mnist-cnn: .*token '2X' at position 9"),
    "a kernel too large": (model(architecture="15C99"), r"models\.mnist-cnn: .*99x99 kernel is larger than its input"),
    "odd pooling": (model(architecture="15C4-P2"), r"models\.mnist-cnn: .*P2 needs a size divisible by 2"),
    "two paddings for one convolution": (
        model(architecture="15C5", padding=[0, 1]),
        r"models\.mnist-cnn: padding \[0, 1\]: 2 values for the 1",
    ),
    "one step of a still image": (
        model(time_steps=1, loss={"kind": "count", "desired_count": 1, "undesired_count": 0}),
        r"models\.mnist-cnn\.time_steps: got 1; allowed: from 2",
    ),
    "a train of another length": (model(time_steps=7), r"models\.mnist-cnn: loss\.desired_train has 5 steps, but time_steps is 7"),
    "more steps than were kept": (
        lambda raw: raw["models"]["nmnist-cnn-t30"].update(time_steps=101),
        r"models\.nmnist-cnn-t30\.time_steps: got 101; allowed: 2 to 100",
    ),
    "a seed twice": (lambda raw: raw.update(seeds=[1, 2, 1]), "seeds: got .*1 appears more than once"),
    "no seeds": (lambda raw: raw.update(seeds=[]), "seeds: got"),
    "a time constant below one": (
        model(tau_s=0.5),
        r"models\.mnist-cnn\.tau_s: got 0\.5 \(float\); allowed: 1\.0 or more",
    ),
    "images without a mean": (lambda raw: raw["datasets"]["mnist"].update(mean=[]), r"datasets\.mnist: a dataset of images needs one mean"),
    "events without a window": (lambda raw: raw["datasets"]["nmnist"].pop("window_us"), r"datasets\.nmnist: a dataset of events needs"),
    "a list that is a number": (model(padding="x"), r"padding: got 'x' \(str\); allowed: a whole number, or a list such as \[1, 2\]$"),
    "neither a number nor auto": (
        lambda raw: raw["execution"].update(threads=0),
        r"threads: got 0 \(int\); allowed: 1 or more, or 'auto'$",
    ),
    "no such loss": (model(loss={"kind": "x"}), r"models\.mnist-cnn\.loss: kind: got 'x' \(str\); allowed: 'kernel', 'count'"),
    "a loss of no kind": (model(loss={}), r"models\.mnist-cnn\.loss: kind: missing"),
    "a name that is a number": (
        lambda raw: raw["recipes"].update({2021: raw["recipes"]["2021-03"]}),
        r'recipes\.2021: got 2021 \(int\); a name is text: write it in quotes, as in "2021"',
    ),
    "no checksum": (lambda raw: raw["datasets"]["mnist"]["files"][0].update(md5="x"), r"datasets\.mnist\.files\.0\.md5: got 'x'"),
    "a name that leaves its folder": (
        lambda raw: raw["datasets"]["mnist"]["files"][0].update(name="../x"),
        r"datasets\.mnist\.files\.0\.name: got '\.\./x'",
    ),
    "no web address": (lambda raw: raw["datasets"]["mnist"]["files"][0].update(urls=["file:///etc"]), r"urls\.0: got 'file:///etc'"),
    "a list": (lambda raw: raw.update(models=[1]), r"models: got \[1\] \(list\)"),
    "no device": (lambda raw: raw["execution"].update(device="gpu"), r"execution\.device: got 'gpu'"),
}


def dataset(**settings: Any) -> Change:
    return lambda raw: raw["datasets"]["mnist"].update(settings)


def renamed(section: str, old: str, new: object) -> Change:
    return lambda raw: raw[section].update({new: raw[section].pop(old)})


UNUSABLE: dict[str, tuple[Change, str]] = {
    "a name longer than a file's": (
        renamed("models", "mnist-cnn", "m" * 300),
        r"models\.m+\.\.\.m+: got 'mm.*; allowed: at most 64 characters",
    ),
    "a dot, which DVC takes for a section": (
        renamed("models", "mnist-cnn", "mnist.cnn"),
        r"models\.mnist\.cnn: got .*the letters a to z, digits",
    ),
    "a dataset's dot": (renamed("datasets", "mnist", "a.b"), r"datasets\.a\.b: got 'a\.b' \(str\); a name has the letters"),
    "a recipe's dot": (renamed("recipes", "2020-10", "20.10"), r"recipes\.20\.10: got '20\.10' \(str\); a recipe's name has letters"),
    "a name with a dash": (
        renamed("models", "mnist-cnn", "mnist\u2013cnn"),
        r"models\.mnist–cnn: got .*; '–' is U\+2013 \(EN DASH\); type '-'",
    ),
    "an experiment of two lines": (lambda raw: raw.update(experiment="a\nb"), r"experiment: got 'a\\nb' \(str\); .*U\+000A"),
    "an experiment with a control character": (lambda raw: raw.update(experiment="a\x1b[2J"), r"experiment: got .*U\+001B"),
    "an experiment without a name": (lambda raw: raw.update(experiment=""), r"experiment: got '' \(str\); allowed: at least 1 character"),
    "an experiment beyond its column": (lambda raw: raw.update(experiment="e" * 65), "experiment: got .*allowed: at most 64 characters"),
    "a title of two lines": (dataset(title="MNIST\n"), r"datasets\.mnist\.title: got 'MNIST\\n'"),
    "a title that turns the line": (dataset(title="a\u202eb"), r"datasets\.mnist\.title: got .*U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
    "a class name of a page": (dataset(class_names=["x" * 99] * 10), r"datasets\.mnist\.class_names\.0: got"),
    "more classes than a byte": (dataset(classes=257), r"datasets\.mnist\.classes: got 257 \(int\); allowed: 256 or less"),
    "a shape beyond memory": (dataset(shape=[1, 10**9, 10**9]), r"datasets\.mnist\.shape\.1: got .*allowed: 4096 or less"),
    "samples beyond counting": (
        dataset(train_samples=10**30),
        r"datasets\.mnist\.train_samples: got 10+ \(int\); allowed: 100000000 or less",
    ),
    "a deviation of nothing": (dataset(std=[1e-300]), r"datasets\.mnist\.std\.0: got 1e-300"),
    "a port that is none": (
        lambda raw: raw["datasets"]["mnist"]["files"][0].update(urls=["http://a:99999/"]),
        r"urls\.0: got 'http://a:99999/' \(str\); it is not a web address: Port out of range",
    ),
    "a broken address": (
        lambda raw: raw["datasets"]["mnist"]["files"][0].update(urls=["http://[::1/"]),
        r"urls\.0: got .*not a web address",
    ),
    "two files of one name": (
        lambda raw: raw["datasets"]["mnist"]["files"][1].update(name="train-images-idx3-ubyte.gz"),
        r"datasets\.mnist: files: the name train-images-idx3-ubyte\.gz appears twice",
    ),
    "a seed beyond 64 bits": (lambda raw: raw.update(seeds=[2**63]), rf"seeds\.0: got {2**63} \(int\); allowed: {2**63 - 1} or less"),
    "a thousand and one seeds": (lambda raw: raw.update(seeds=list(range(1001))), "seeds: got .*allowed: a list of at most 1000"),
    "a rate beyond float32": (model(learning_rate=1e39), r"learning_rate: got 1e\+39 \(float\); allowed: 100\.0 or less"),
    "a rate below float32": (model(learning_rate=1e-46), r"learning_rate: got 1e-46 \(float\); allowed: 1e-12 or more"),
    "a gain beyond float32": (model(conv_gain=1e39), r"conv_gain: got 1e\+39"),
    "a threshold that is nothing": (model(threshold=1e-300), r"threshold: got 1e-300"),
    "a limit beyond float32": (lambda raw: raw["training"].update(weight_limit=1e39), r"training\.weight_limit: got 1e\+39"),
    "epochs beyond a life": (model(epochs=10**9), r"epochs: got 1000000000 \(int\); allowed: 100000 or less"),
    "a batch beyond memory": (model(batch_size=10**12), r"batch_size: got 10+ \(int\)"),
    "a margin beyond its image": (model(padding=10**9), r"padding: got 1000000000 \(int\); allowed: 1024 or less, or a list"),
    "a layer beyond memory": (
        model(architecture="99999999"),
        r"token '99999999' at position 1 is not a layer.*sizes of up to seven digits",
    ),
    "a notation of a page": (
        model(architecture="1-" * 999 + "1"),
        r"models\.mnist-cnn: architecture .*has 1,999 characters; allowed: 1,000",
    ),
    "a thousand processes": (
        lambda raw: raw["execution"].update(threads=3000),
        r"execution\.threads: got 3000 \(int\); allowed: 256 or less",
    ),
    "a thousand workers": (lambda raw: raw["execution"].update(workers=3000), r"execution\.workers: got 3000"),
    "a thousand seeds at a time": (lambda raw: raw["execution"].update(parallel=3000), r"execution\.parallel: got 3000"),
    "a device that is none": (lambda raw: raw["execution"].update(device="cuda:99999999999"), r"execution\.device: got"),
    "a device of another name": (
        lambda raw: raw["execution"].update(device="gpu"),
        r"execution\.device: got 'gpu' \(str\); allowed: auto, cpu, cuda, or",
    ),
    "no part of a GPU": (lambda raw: raw["execution"].update(gpu_share=0), r"execution\.gpu_share: got 0 \(int\); allowed: more than 0"),
    "a folder that is none": (lambda raw: raw["folders"].update(data=""), r"folders\.data: got .*name a folder of its own"),
    "the root of all folders": (lambda raw: raw["folders"].update(data="/"), r"folders\.data: got .*name a folder of its own"),
    "a folder with a NUL": (lambda raw: raw["folders"].update(data="a\0b"), r"folders\.data: got .*U\+0000"),
    "a folder that is too long": (lambda raw: raw["folders"].update(runs="r" * 300), r"folders\.runs: got .*too long for a file system"),
    "one folder for two": (lambda raw: raw["folders"].update(runs="data"), r"folders: runs and data are both 'data'"),
    "one folder for two, written in two ways": (
        lambda raw: raw["folders"].update(runs="reports/../data"),
        r"folders: runs and data are both 'reports/\.\./data'",
    ),
    "a published row of NaN": (lambda raw: raw["published"]["mnist-cnn"].update(mean=float("nan")), r"published\.mnist-cnn\.mean: got nan"),
}
