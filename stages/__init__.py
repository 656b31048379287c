"""The DVC stages: one thin script each, run as `python -m stages.<name>` from the project root."""
