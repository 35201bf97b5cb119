"""Results that cost more time than a lesson has, kept as data beside the code."""

import json
from pathlib import Path

__all__ = ["ABLATION", "kept_ablation"]

ABLATION = Path(__file__).with_name("ablation.json")


def kept_ablation():
    """What ``python -m benchmarks.challenge_ablation`` has measured.

    Returns
    -------
    record : dict
        ``command``, ``date``, ``machine`` and ``data`` say how; ``rates``, ``seeds`` and ``rows`` what was tried, a row
        being the ingredient left out; ``runs`` holds ``row``, ``rate``, ``seed`` and ``accuracy`` (0 to 1) of each run.
    """
    return json.loads(ABLATION.read_text(encoding="utf-8"))
