"""What is kept on disk: atomic writes, run records, checkpoints, and where a result came from."""
