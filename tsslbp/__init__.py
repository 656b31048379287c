"""TSSL-BP: temporal spike sequence learning via backpropagation (Zhang & Li, NeurIPS 2020, arXiv 2002.10085)."""

import os

# PyTorch and Numba each keep a pool of threads. By default an idle one spins for milliseconds before it sleeps and takes the
# cores away from the other, or from whatever else runs: on a busy machine that made training ten times slower. GNU OpenMP
# reads this when PyTorch is first imported; who has set it keeps the own value.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
