"""Training that is killed and resumed ends as if nothing had happened."""

import re

from benchmarks import kill_and_resume


def test_runs_killed_at_random_moments_end_with_the_same_bits_when_resumed(capsys):
    assert kill_and_resume.main(["--kills", "2", "--epochs", "8"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"2 of 2 runs ended with the same bits, 2 had only readable checkpoints, 2 left no other", printed)
    assert len(printed.splitlines()) == 1
