"""What the studies found: recipes beside published rows, and variants beside the unchanged model."""
