"""NumPy layers, networks, optimisers and a training loop: what the lessons of the workbook import."""
