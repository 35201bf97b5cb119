"""Plant small errors in the package, one at a time, and see whether the unit tests and the lessons notice.

Each error (mutant) is tried twice. The unit tests that run its line are run on a package that has it, the fastest
first; and the cells of the lessons that run its line are run after the cells before them, with it. A mutant is killed
when a test fails, when a cell raises, or when a cell prints something else than without it (as nbval compares: a claim
that turns from ✓ to ✗, not the digits of a loss). It is equivalent when no call can tell it from the original: those
stand in tools/equivalent_mutants.json, each (or the line, if all of its changes are) with its reason.

The report goes to build/mutants/report.md. Results are kept beside it, and what was tried is not tried again while the
code and the tests that it rests on are as they were. Exit status: 0 if the unit tests kill all mutants that are not
equivalent and the lessons kill 90 % of those in code that they show, 1 if not, 130 on Ctrl-C.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

# As in `make test`, one process per core; before NumPy is imported.
os.environ.update(
    CS231N_DATA="shapes10", MPLBACKEND="Agg", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1"
)

from mutant_trials import ENDLESS, KILLED, OUTPUT, SURVIVED, Lessons, UnitTests, digest, function_of, sweep
from mutations import mutants_of
from run_lessons import ROOT, duration
from tqdm import tqdm

TARGETS = (
    "cs231n/arguments.py",
    "cs231n/layers",
    "cs231n/fast_layers.py",
    "cs231n/layer_utils.py",
    "cs231n/initializers.py",
    "cs231n/optim.py",
    "cs231n/compute",
    "cs231n/classifiers",
    "cs231n/solver.py",
)
EQUIVALENT = ROOT / "tools" / "equivalent_mutants.json"
SHARE = 0.9  # of the mutants in code that they show, that the lessons kill


def reason_of(mutant, equivalent):
    """Why a mutant is equivalent, by its name or, where all changes of a line are, by the line; None if it is not."""
    return equivalent.get(mutant.name) or equivalent.get(mutant.line_name)


class Results:
    """What came of each mutant, kept in a file.

    Parameters
    ----------
    trials : UnitTests or Lessons
    equivalent : dict
        The reasons of those that are equivalent. Having survived the unit tests once, they are not tried again while
        their function is as it was; the lessons, which see less, are spared them, and so are lines of which any
        change is equivalent.
    again : bool
        Forget what was tried before.
    """

    def __init__(self, trials, equivalent, again):
        self.trials, self.equivalent = trials, equivalent
        self.path = OUTPUT / f"{trials.title.replace(' ', '-')}.json"
        self.found = json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() and not again else {}

    def __getitem__(self, mutant):
        """The result, or None where there is none that still stands."""
        result = self.found.get(mutant.name)
        if reason_of(mutant, self.equivalent) is not None:
            if self.trials.title == Lessons.title or mutant.name not in self.equivalent:
                return {"verdict": SURVIVED, "by": ""}
            if result and result["verdict"] == SURVIVED and result.get("function") == digest(function_of(mutant)):
                return result
        return result if result and result["evidence"] == self.trials.evidence(mutant, result) else None

    def __setitem__(self, mutant, result):
        evidence = self.trials.evidence(mutant, result)
        self.found[mutant.name] = {**result, "evidence": evidence, "function": digest(function_of(mutant))}

    def save(self):
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.found, ensure_ascii=False, indent=0), encoding="utf-8")
        os.replace(part, self.path)


def try_all(mutants, results, deadline):
    """Try the mutants that have no result yet; gives whether there was time for all."""
    missing = [mutant for mutant in mutants if results[mutant] is None]
    if not missing:
        return True
    saved = time.monotonic()
    survived = len([mutant for mutant in mutants if (results[mutant] or {}).get("verdict") == SURVIVED])
    try:
        with tqdm(
            total=len(mutants), initial=len(mutants) - len(missing), desc=results.trials.title, unit="mutant"
        ) as progress:
            for news in results.trials.judge(missing):
                if news:
                    mutant, result = news
                    results[mutant] = result
                    survived += result["verdict"] == SURVIVED
                    progress.update()
                    progress.set_postfix(survived=survived)
                if time.monotonic() > saved + 5:
                    results.save()
                    saved = time.monotonic()
                if time.monotonic() > deadline:
                    return False
    finally:
        results.save()
    return True


def table(rows):
    """Lines of a Markdown table; the first row is its head."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(str(value).ljust(width) for value, width in zip(row, widths)) + " |" for row in rows]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def count(mutants, results, equivalent):
    """Killed, endless, survived, equivalent, and not tried yet."""
    verdicts = [(results[mutant] or {}).get("verdict") for mutant in mutants]
    same = [reason_of(mutant, equivalent) is not None for mutant in mutants]
    survived = [not is_same for verdict, is_same in zip(verdicts, same) if verdict == SURVIVED]
    return [
        verdicts.count(KILLED),
        verdicts.count(ENDLESS),
        sum(survived),
        len(survived) - sum(survived),
        verdicts.count(None),
    ]


def chapters(mutants, all_results):
    """What the report tells about: title, results, the mutants that they are of, and the share to be killed."""
    for results in all_results:
        if isinstance(results.trials, Lessons):
            shown = [mutant for mutant in mutants if results.trials.shows(mutant)]
            yield "Lessons, in code that they show", results, shown, SHARE
            yield "Lessons, in other code", results, [mutant for mutant in mutants if mutant not in shown], 0
        else:
            yield "Unit tests", results, mutants, 1


def report(mutants, all_results, equivalent):
    """The report as text, and whether all is as it should be."""
    lines, sound = [], True
    columns = ["mutants", KILLED, ENDLESS, SURVIVED, "equivalent", "not tried"]
    killed_by = {}
    for title, results, judged, wanted in chapters(mutants, all_results):
        rows = [["module", *columns]]
        for path in dict.fromkeys(mutant.path for mutant in judged):
            of_path = [mutant for mutant in judged if mutant.path == path]
            rows.append([path, len(of_path), *count(of_path, results, equivalent)])
        number, killed, endless, survived, _, not_tried = total = [len(judged), *count(judged, results, equivalent)]
        lines += [f"## {title}", "", *table([*rows, ["all", *total]]), ""]
        share = (killed + endless) / max(1, killed + endless + survived)
        aim = f" ({wanted:.0%} is wanted)" if wanted else ""
        lines += [f"{share:.1%} of those that are not equivalent are killed{aim}.", ""]
        sound &= share >= wanted and not not_tried or not number
        verdicts = {mutant: results[mutant] or {"verdict": None} for mutant in judged}
        if isinstance(results.trials, UnitTests):
            killed_by = {mutant: result["by"] for mutant, result in verdicts.items() if result["verdict"] == KILLED}
        survivors = [mutant for mutant, result in verdicts.items() if result["verdict"] == SURVIVED]
        for heading, is_same in (("Survived", False), ("Equivalent", True)):
            listed = [mutant for mutant in survivors if (reason_of(mutant, equivalent) is not None) == is_same]
            if listed and not (is_same and isinstance(results.trials, Lessons)):
                lines += [f"### {heading}", ""]
                for mutant in listed:
                    seen_by = mutant in killed_by and f"seen by {killed_by[mutant]}"
                    reason = reason_of(mutant, equivalent) or verdicts[mutant]["by"] or seen_by
                    lines += [
                        f"- {mutant.path}:{mutant.line} {mutant.function}" + (f": {reason}" if reason else ""),
                        f"  - `{mutant.before}`",
                        f"  - `{mutant.after}`",
                    ]
                lines.append("")
        if isinstance(results.trials, UnitTests):
            for mutant, result in verdicts.items():
                if mutant.name in equivalent and result["verdict"] in (KILLED, ENDLESS):
                    lines.append(f"Not equivalent, a test kills it: {mutant.name}")
                    sound = False
    names = {name for mutant in mutants for name in (mutant.name, mutant.line_name)}
    paths = {mutant.path for mutant in mutants}
    for name in equivalent:
        if name not in names and name.split(" ")[0] in paths:
            lines.append(f"No such mutant, take it out of {EQUIVALENT.name}: {name}")
            sound = False
    return "\n".join(lines), sound


def read_targets(names):
    """The modules to mutate, as paths from the project's folder."""
    paths = []
    for name in names or TARGETS:
        path = Path(name) if Path(name).exists() else ROOT / name
        path = path.resolve()
        if not path.exists() or not path.is_relative_to(ROOT / "cs231n"):
            raise FileNotFoundError(f"{name} is no module or folder of cs231n/.")
        paths += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [path.relative_to(ROOT).as_posix() for path in dict.fromkeys(paths)]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "modules",
        nargs="*",
        metavar="MODULE",
        help="file or folder of cs231n (default: layers, update rules, classifiers, Solver)",
    )
    parser.add_argument("--list", action="store_true", help="print the mutants and end")
    parser.add_argument("--only", choices=("tests", "lessons"), help="who tries the mutants (default: both)")
    parser.add_argument("--again", action="store_true", help="forget what was tried before")
    parser.add_argument(
        "--minutes",
        type=float,
        default=float("inf"),
        help="stop after this time; the next call goes on (default: no limit)",
    )
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="how many to try at a time (default: all)")
    options = parser.parse_args(arguments)
    try:
        paths = read_targets(options.modules)
    except FileNotFoundError as error:
        parser.error(str(error))
    mutants = [mutant for path in paths for mutant in mutants_of(path, (ROOT / path).read_text(encoding="utf-8"))]
    if options.list:
        print("\n".join(mutant.name for mutant in mutants))
        return 0

    # Being ended from outside keeps what was found, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    deadline = start + 60 * options.minutes
    OUTPUT.mkdir(parents=True, exist_ok=True)
    equivalent = json.loads(EQUIVALENT.read_text(encoding="utf-8"))
    try:
        all_results = [
            Results(trials(options.cores), equivalent, options.again)
            for trials in (UnitTests, Lessons)
            if options.only in (None, trials.title.split()[-1])
        ]
        in_time = all(try_all(mutants, results, deadline) for results in all_results)
    except KeyboardInterrupt:
        print("\nInterrupted; the next call goes on from here.")
        return 130
    finally:
        sweep()
    text, sound = report(mutants, all_results, equivalent)
    (OUTPUT / "report.md").write_text(text, encoding="utf-8")
    print(text)
    print(duration(time.monotonic() - start) + ("" if in_time else "; the time is up, the next call goes on from here"))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
