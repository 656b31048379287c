"""Datasets: fetch and verify, raw files to compact arrays, arrays to batches."""
