"""The DVC stages: one thin script each, run as `python -m stages.<name>` from the project root."""

import sys
from importlib.util import find_spec

# DVC runs the first `python` of the PATH. Where that is another one than the project's, its traceback would not say what to do.
if any(find_spec(name) is None for name in ("pydantic", "torch", "yaml")):
    sys.exit(f"{sys.executable} lacks the project's libraries: type `source .venv/bin/activate` first (`make setup` makes .venv)")
