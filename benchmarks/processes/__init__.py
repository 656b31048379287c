"""The processes that are measured: each computes in its turn and sleeps otherwise."""
