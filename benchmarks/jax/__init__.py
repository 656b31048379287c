"""The libraries on JAX, in a process and an environment of their own."""
