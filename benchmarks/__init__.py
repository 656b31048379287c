"""Measured claims: this project beside its peers and beside what the hardware allows. Run by `make bench`."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The project's root: where the settings, the data and the environments are."""

SPIN_COUNT = "GOMP_SPINCOUNT"
"""How long an idle thread of GNU OpenMP, which PyTorch has, stays awake. `import tsslbp` sets it where nobody has."""
SPIN_COUNT_OF_USER = os.environ.get(SPIN_COUNT)
"""What it was before anything here imported `tsslbp`; None: nobody had set it."""
