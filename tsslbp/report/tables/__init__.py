"""The report's tables: what their columns are, and how a table looks in each format."""
