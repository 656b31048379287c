"""The report's pictures: every function returns a finished `canvas.Picture`."""
