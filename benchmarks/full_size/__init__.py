"""N-MNIST at its full size, measured by `python -m benchmarks.full_size`."""
