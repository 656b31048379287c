"""Datasets: raw files fetched and verified, converted into compact arrays, and read back."""
