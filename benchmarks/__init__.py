"""Times of the package beside PyTorch's, on the machine where they run: ``python -m benchmarks``."""
