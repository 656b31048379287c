"""Measured claims: this project beside its peers and beside what the hardware allows. Run by `make bench`."""
