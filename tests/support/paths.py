"""Where the project is, and in it the vectors that the authors' code produced."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests/reference"
