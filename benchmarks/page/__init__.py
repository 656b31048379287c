"""A run's results as a page: claims, tables, charts and the CSV."""
