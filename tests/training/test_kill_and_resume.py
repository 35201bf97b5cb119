"""Training that is killed and resumed ends as if nothing had happened."""

import re

from benchmarks import kill_and_resume


def test_runs_killed_at_random_moments_end_with_the_same_bits_when_resumed(capsys):
    assert kill_and_resume.main(["--kills", "5", "--epochs", "12"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"5 of 5 runs ended with the same bits, 5 had only readable checkpoints, 5 left no other", printed)
    assert len(printed.splitlines()) == 1
