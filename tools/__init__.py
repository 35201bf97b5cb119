"""The programs behind the make commands; run one as ``python -m tools.course.score`` in the folder above."""
