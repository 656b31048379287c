"""Pictures in one style, of plain data: what the report, MLflow and the benchmark show is drawn here and nowhere else."""
