"""The code of a network's model in MLflow: MLflow copies this file into the model and runs it when somebody loads that; see models.py.

The library as it was when the model was logged lies beside the weights, so that loading needs no installation of it. A `tsslbp` that
the process has imported before is used as it is.
"""

import sys
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

BATCH = 100
"""Samples that the network computes at a time."""


class ServedNetwork(PythonModel):
    """Takes a row of whole numbers per sample, returns its class and the scores of all classes."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the network from its weights, without running anything that is in them."""
        sys.path.insert(0, context.artifacts["library"])
        try:
            from tsslbp.method.build import load_network
        finally:
            sys.path.remove(context.artifacts["library"])
        self.network = load_network(context.artifacts["weights"])
        self.config = context.model_config

    # The bare class: MLflow understands no other type here, warns of those, and of none.
    def predict(self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return a row per sample: `class`, and `score_0`, `score_1` ...

        Args:
            context: not used.
            model_input: (B, C·H·W) pixels of 0 to 255, or (B, T·C·H·W) events of 0 and 1; whole numbers, in C's order.
            params: not used.

        Raises:
            ValueError: a number is beyond these.
        """
        rows = np.asarray(model_input)
        highest = 255 if self.config["std"] else 1
        if rows.min(initial=0) < 0 or rows.max(initial=0) > highest:
            raise ValueError(f"values from {rows.min()} to {rows.max()}: expected whole numbers from 0 to {highest}")
        scores = np.concatenate([self._scores(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)])
        table = pd.DataFrame(scores.astype(np.float64), columns=[f"score_{index}" for index in range(scores.shape[1])])
        table.insert(0, "class", scores.argmax(1))
        return table

    def _scores(self, rows: Any) -> Any:
        import torch

        x = torch.from_numpy(rows.astype(np.float32))
        if self.config["std"]:
            mean, std = (torch.tensor(self.config[name], dtype=torch.float32).view(-1, 1, 1) for name in ("mean", "std"))
            x = (x.view(-1, *self.network.input_shape) / 255 - mean) / std
        else:
            x = x.view(len(rows), -1, *self.network.input_shape).transpose(0, 1)
        with torch.inference_mode():
            return self.network(x).sum(0).numpy()


set_model(ServedNetwork())
