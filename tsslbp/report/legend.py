"""What the columns of the tables mean, in words, for every format that has room for it."""

LEGEND: tuple[tuple[str, str], ...] = (
    ("Published", "mean, sample standard deviation and best of the published runs (arXiv 2002.10085); a dash where nothing is published."),
    (
        "Reproduced",
        "for each seed the best test accuracy over its epochs, as published; then mean, sample standard deviation (n−1) and best over the "
        "seeds, and in brackets the 95 % Student interval of the mean. The interval is cut at 0 and 100, between which every accuracy "
        "lies, so it covers the mean as often as before. The epoch is chosen on test data, so these numbers are optimistic.",
    ),
    (
        "Last epoch",
        "the same after the last epoch, where nothing is chosen. “Best − last” is what the choice was worth, in points. Where only a part "
        "of the test data was there, “100 samples” and an interval say what so few mean: the 95 % Wilson interval (Journal of the "
        "American Statistical Association 22, 1927) of the mean accuracy on all samples of their kind, as if these were drawn at random.",
    ),
    (
        "Difference",
        "reproduced mean minus published mean, in percentage points, with its 95 % Welch interval from the numbers as printed.",
    ),
    (
        "Verdict",
        "consistent: the interval contains zero; higher, lower: it does not; too few samples: there were fewer test data than the official ones, of which "
        "Welch's interval knows nothing; too few runs: fewer than two runs here, or all of "
        "them equal to the last image, or no published mean and standard deviation to compare with; nothing published: there is no published row; not run: no seed has finished. In "
        "parentheses where the row departs from the protocol: it then compares unlike with unlike.",
    ),
    (
        "SynOps",
        "synaptic operations per inference, after the last epoch: each spike that enters a layer counts one addition for every connection "
        "that it reaches, on average over the layer's inputs (Merolla et al., Science 345, 2014; Rueckauer et al., Frontiers in "
        "Neuroscience 11, 2017); a pooled input passes on every spike of its window. A still image enters as numbers, so its first layer "
        "costs dense multiply-accumulates instead, once per inference; they stand beside it. k, M, G: thousands, millions, billions. A "
        "dash where the runs did not record enough to tell.",
    ),
    (
        "Seeds × epochs",
        "as really run. “2 of 5” means that the protocol asks for five; “subset”, that the data are not the official ones, but a part of them or copies of a part.",
    ),
)
