"""TSSL-BP: temporal spike sequence learning via backpropagation (Zhang & Li, NeurIPS 2020, arXiv 2002.10085)."""

import os

# PyTorch and Numba each keep a pool of threads. By default an idle one spins for milliseconds before it sleeps and takes the
# cores away from the other, or from whatever else runs: on a busy machine that made training ten times slower. GNU OpenMP
# reads this when PyTorch is first imported; who has set it keeps the own value. Of 1,000 to 20,000 turns, tried with
# `GOMP_SPINCOUNT=n python -m benchmarks --cases fashion-mlp --contestants tsslbp` on two cores, 2,000 are faster than fewer on an
# idle machine and cost 2 % on a busy one; with 8,000 and more a busy one pays a fifth and more.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
