"""Trained networks for other tools. MLflow's models are made in tracking/, beside everything else that MLflow gets."""
