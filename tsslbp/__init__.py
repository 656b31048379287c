"""TSSL-BP: temporal spike sequence learning via backpropagation (Zhang & Li, NeurIPS 2020, arXiv 2002.10085)."""

import os

# PyTorch and Numba each keep a pool of threads. By default an idle one spins for milliseconds before it sleeps and takes the
# cores away from the other, or from whatever else runs: on a busy machine that made training ten times slower. GNU OpenMP
# reads this when PyTorch is first imported; who has set it keeps the own value. Values from 1,000 to 60,000
# were tried with `GOMP_SPINCOUNT=n python -m benchmarks --cases fashion-mlp --contestants tsslbp` on two cores, a few times each. On an
# idle machine the readings scatter more than 1,000 to 3,000 differ; beside two trainings 1,000 and 2,000 are within 3 % of each other,
# while 8,000 and more took a fifth longer and more than 1,000 did.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
