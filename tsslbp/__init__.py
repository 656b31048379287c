"""TSSL-BP: temporal spike sequence learning via backpropagation (Zhang & Li, NeurIPS 2020, arXiv 2002.10085)."""
