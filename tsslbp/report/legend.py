"""What the columns of the tables mean, in words, for every format that has room for it."""

LEGEND: tuple[tuple[str, str], ...] = (
    ("Published", "mean, sample standard deviation and best of the published runs (arXiv 2002.10085); a dash where nothing is published."),
    (
        "Reproduced",
        "for each seed the best test accuracy over its epochs, as published; then mean with its 95 % interval, sample standard deviation (n−1) and "
        "best over the seeds. The epoch is chosen on test data, so these numbers are optimistic.",
    ),
    ("Last epoch", "the same after the last epoch, where nothing is chosen."),
    (
        "Difference",
        "reproduced mean minus published mean, in percentage points, with its 95 % Welch interval from the numbers as printed.",
    ),
    (
        "Verdict",
        "consistent: the interval contains zero; higher, lower: it does not; too few runs: fewer than two runs here, or no published "
        "mean and standard deviation to compare with; not run: no seed has finished. In parentheses where the row departs from the "
        "protocol: it then compares unlike with unlike.",
    ),
    (
        "Seeds × epochs",
        "as really run. “2 of 5” means that the protocol asks for five; “subset”, that the data are not all of the official ones.",
    ),
)
