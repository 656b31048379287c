"""The losses, one file for each kind that a model's settings can name: 0.5 times a sum of squares over batch, classes and steps.

A file `<kind>.py` here has the loss and a function `from_settings(model, recipe)` that makes it; `build.build_loss` finds it by
its name. All take the output layer's trace (T, B, classes) and labels (B,), and return a scalar. Only the runs that use a loss
become stale when its file changes. Source: the authors' code and arXiv 2002.10085, section 3.2.
"""

from tsslbp.method.losses.count import CountLoss
from tsslbp.method.losses.kernel import KernelLoss

__all__ = ["CountLoss", "KernelLoss"]
