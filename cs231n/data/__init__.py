"""The images of the lessons: CIFAR-10, Shapes-10, and what serves one or the other."""
