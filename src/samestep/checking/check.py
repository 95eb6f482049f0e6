"""Does a script repeat, and what is to blame if not: runs, suspects, interventions, mended runs, the answer."""

from __future__ import annotations

import os
import select
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from samestep.checking import functions, outcomes, printed, suspects, veiled
from samestep.checking.disk import Disk
from samestep.checking.interventions import Laboratory, OutOfTime, Proved, given, played, prove, restores
from samestep.checking.locating import locate
from samestep.checking.mends import CLOCKS, Mend, mend
from samestep.checking.outcomes import Found, first_difference
from samestep.checking.suspects import DISK, HASH, Suspect
from samestep.checking.trials import Launch, Setup, Trial
from samestep.errors import ProgramError, UsageError
from samestep.results import CheckCause, CheckDifference, CheckResult, Mended, Metric
from samestep.runs import launching
from samestep.watching import entropy
from samestep.watching.commands import OUTPUT
from samestep.watching.install import UNWATCHED
from samestep.watching.memory import JUNK
from samestep.watching.tasks import TASKS, THREADS
from samestep.watching.threads import ONE_THREAD
from samestep.worker import inherited

RUNS = 3
"""Runs of the script, unless more are asked for."""
EXPECTED = 8
"""Further runs that the progress bar counts with."""
PATIENCE = 5
"""Times as long as the longest run may one take in which something is changed, which may never end then."""
SECOND = 1.05
CALENDAR = ("time.time", *(f"time.{name}" for name in entropy.CALENDAR), "datetime.", OUTPUT)
"""What tells a script which second it is."""
MOST_QUOTED = 2000
"""Characters of what a script says that an error quotes."""
Progress = Callable[[str, float], None]


def check(
    script: str | Callable[[], Any],
    arguments: Sequence[str] = (),
    *,
    runs: int = RUNS,
    python: str | None = None,
    budget: float | None = None,
    stdin: bytes | None = None,
    progress: Progress = lambda doing, fraction: None,
) -> CheckResult:
    """Run a script several times in fresh processes, find the first difference, and prove its causes.

    script: its path, or a function without arguments that is defined at the top of a file. runs: at least 2. python: the
    interpreter, by default this one. budget: seconds, after which the best answer so far is given. stdin: what the script reads
    from standard input. Raises UsageError for bad input, ProgramError where the script fails in every run.
    """
    _check_arguments(script, runs, budget)
    with tempfile.TemporaryDirectory(prefix="samestep-", ignore_cleanup_errors=True) as folder:
        path = functions.script_for(script, Path(folder)) if callable(script) else Path(script)
        launch = Launch(str(path), tuple(arguments), python or sys.executable, stdin or b"", inherited.environment())
        bench = _Bench(launch, Path(folder), None if budget is None else time.monotonic() + budget, runs, progress)
        try:
            return _answer(bench, runs, budget)
        finally:
            bench.disk.close()


def _check_arguments(script: Any, runs: int, budget: float | None) -> None:
    if not callable(script):
        launching.check_script(script, "Name the script: samestep check train.py")
    if runs < 2:
        raise UsageError(f"--runs is 2 or more, not {runs}: one run has nothing to be compared with.")
    if budget is not None and not budget > 0:
        raise UsageError(f"--budget is a number of seconds above 0, not {budget}.")


class _Bench:
    """Makes trials of one script, and counts them."""

    def __init__(self, launch: Launch, folder: Path, until: float | None, runs: int, progress: Progress) -> None:
        self.launch, self.folder, self.until, self.progress = launch, folder, until, progress
        self.total, self.numbers, self.made = runs + EXPECTED, count(1), 0
        self.disk = Disk(folder / "disk", [Path(launch.script).resolve().parent, Path.cwd()])
        self.longest = 0.0
        self.free_hash = launch.environment.get("PYTHONHASHSEED", "random") in ("", "random")
        self.in_order, self.afresh = True, False
        self.counted: set[str] = set()

    def trial(self, setup: Setup, restore: bool = False, doing: str = "intervening") -> Trial:
        """Run the script once. Raises OutOfTime where the budget does not allow it, or ended it."""
        left = None if self.until is None else self.until - time.monotonic()
        if left is not None and left <= 0:
            raise OutOfTime
        if restore or self.afresh:
            self.disk.restore()
        if setup.hash_seed is None and self.free_hash:  # as Python would choose one itself, but known
            setup = replace(setup, hash_seed=str(int.from_bytes(os.urandom(4), "big")))
        number = next(self.numbers)
        self.progress(f"{doing}, run {number}", min(number / self.total, 0.95))
        patience = PATIENCE * self.longest + 30 if self.longest else None
        trial = self.launch.trial(
            self.folder / f"trial-{number}", setup, min((t for t in (left, patience) if t), default=None)
        )
        if trial.late and self.until is not None and time.monotonic() >= self.until:
            raise OutOfTime
        self.disk.learn(trial)
        outcomes.digest_files(trial, self.disk.written_since(time.time() - trial.seconds))
        self.made += 1
        return trial

    def differ(self, left: Trial, right: Trial) -> Found | None:
        """The first difference of two trials; the order of printed lines counts where one thread alone prints."""
        return first_difference(left, right, in_order=self.in_order) or veiled.difference(left, right, self.counted)


def _answer(bench: _Bench, runs: int, budget: float | None) -> CheckResult:
    trials, cut = _baseline(bench, runs)
    if len(trials) < 2:
        return _undecided(bench, trials, f"{len(trials)} of {runs} runs were done in {budget:g} seconds")
    _refuse_failures(bench, trials)
    bench.in_order = not any(event.source in (TASKS, THREADS) for trial in trials for event in trial.events)
    seen = [(trial, bench.differ(trials[0], trial)) for trial in trials[1:]]
    differing = [(trial, found) for trial, found in seen if found is not None]
    if not differing:
        return _looked_behind(bench, trials, runs, cut) or _repeats(bench, trials, cut)
    return _explained(
        bench, trials, min(differing, key=lambda pair: pair[1].place), len(differing) / len(seen), runs, cut
    )


def _explained(
    bench: _Bench, trials: list[Trial], differing: tuple[Trial, Found], rate: float, runs: int, cut: bool
) -> CheckResult:
    """The answer where a trial differs from the first; rate: the share of those that do."""
    other, first = differing
    proved, mends, mended = _explain(bench, Laboratory(bench.trial, bench.differ, rate), trials, other, runs)
    lead = next(iter(proved.causes or suspects.of_values(trials[0], other)), None)
    return _differs(bench, trials, (first, lead), proved, mends, mended, cut or proved.cut)


def _looked_behind(bench: _Bench, trials: list[Trial], runs: int, cut: bool) -> CheckResult | None:
    """The answer where runs agree by a file that the first left, by chance in memory, or in what counts; None if they repeat."""
    if cut:
        return None
    try:
        again = _started_afresh(bench, trials)
        if again is not None:
            return _noted("the first ones agree by what one has left", _explained(bench, trials, again, 1.0, runs, cut))
        result = _on_junk(bench, trials, runs)
        if result is not None:
            return _noted("the first ones agree by what lay in memory that nobody fills", result)
        found = _unveiled(bench, trials)
    except OutOfTime:
        return None
    if found is None:
        return None
    result = _explained(bench, trials, found, 1.0, runs, cut)
    if result.verdict == "not reproducible" and result.mended is not None and result.mended.equal:
        return _noted("in what looks like a time, or is of an unknown kind", result)
    bench.counted = set()
    return None


def _noted(note: str, result: CheckResult) -> CheckResult:
    return replace(result, note="; ".join(filter(None, (note, result.note))))


def _started_afresh(bench: _Bench, trials: list[Trial]) -> tuple[Trial, Found] | None:
    """A run without the files that the first one left and others read, if it differs; those are put back from then on."""
    made = {event.source for event in trials[0].events if event.kind == "write" and event.value is None}
    read = {event.source for trial in trials[1:] for event in trial.events if event.kind == "read"}
    if not made & read:
        return None
    trial = bench.trial(Setup(), restore=True, doing="running it without what it left")
    found = bench.differ(trials[0], trial)
    bench.afresh = found is not None
    return None if found is None else (trial, found)


def _on_junk(bench: _Bench, trials: list[Trial], runs: int) -> CheckResult | None:
    """The answer where arrays are read that nobody filled: memory holds the same in many runs, and another day it does not."""
    made = [suspect for suspect in suspects.of_switches(trials) if suspect.source in suspects.MEMORY]
    if not made:
        return None

    def trial(some: list[Suspect]) -> Trial:
        return bench.trial(Setup(switches=frozenset(JUNK + suspect.site for suspect in some)), doing="filling memory")

    first = bench.differ(trials[0], trial(made))
    if first is None:
        return None
    apart = [(suspect, trial([suspect])) for suspect in made]
    proved = Proved([suspect for suspect, other in apart if bench.differ(trials[0], other) is not None])
    if not proved.causes:
        return None
    mends, mended = _mended(bench, trials, proved, runs)
    return _differs(bench, trials, (first, proved.causes[0]), proved, mends, mended, proved.cut)


def _unveiled(bench: _Bench, trials: list[Trial]) -> tuple[Trial, Found] | None:
    """A trial that differs from the first in what is masked and yet follows what a run is given; see `veiled`."""
    for other in trials[1:]:
        likely = [suspect for suspect in suspects.of_values(trials[0], other) if suspect.likely]
        if not likely and bench.in_order:
            continue
        ours, theirs = veiled.of(trials[0]), veiled.of(other)
        counted = veiled.apart(ours, theirs)
        counted &= {veiled.ORDER} if not likely else counted
        counted -= {veiled.ORDER} if bench.in_order else set()
        pinned = [*likely, *([Suspect(HASH)] if bench.free_hash else [])]
        for trial, like in ((trials[0], ours), (other, theirs)):
            if counted:
                setup = played(Setup(), pinned, trial)
                counted = veiled.alike(like, veiled.of(bench.trial(setup, doing="looking at what is masked")), counted)
        found = veiled.difference(trials[0], other, counted)
        if found is not None:
            bench.counted = counted
            return other, found
    return None


def _baseline(bench: _Bench, runs: int) -> tuple[list[Trial], bool]:
    """Runs as the user makes them, one after another, and whether the time was up."""
    trials: list[Trial] = []
    try:
        for _ in range(runs):
            _wait_for_the_next_second(trials, bench.until)
            trials.append(bench.trial(Setup(), doing="running as it is"))
        bench.longest = max(trial.seconds for trial in trials)
    except OutOfTime:
        return trials, True
    return trials, False


def _wait_for_the_next_second(trials: list[Trial], until: float | None) -> None:
    """Seconds are the least that many a seed from the clock counts; quick runs would all begin in the same one."""
    if trials and any(event.source.startswith(CALENDAR) for event in trials[-1].events):
        left = SECOND - trials[-1].seconds
        time.sleep(max(0.0, left if until is None else min(left, until - time.monotonic())))


def _refuse_failures(bench: _Bench, trials: list[Trial]) -> None:
    """A script that fails with the same exception in every run is not one that repeats, whatever the exception says."""
    if len({(printed.lines(trial.said[-MOST_QUOTED:]) or [""])[-1].partition(":")[0] for trial in trials}) > 1:
        return
    if all(trial.exit_status and "Traceback (most recent call last)" in trial.said for trial in trials):
        hint = ""
        if "EOFError" in trials[0].said:
            hint = " It reads standard input: give it there, as in samestep check train.py < answers.txt."
        said = trials[0].said.strip()[-MOST_QUOTED:]
        raise ProgramError(f"{bench.launch.script} fails in every run.{hint} The first one said:\n{said}")
    if all(trial.exit_status and "SyntaxError" in trial.said for trial in trials):
        raise ProgramError(f"{bench.launch.script} cannot be run:\n{trials[0].said.strip()[-MOST_QUOTED:]}")


Mends = list[tuple[Suspect, Mend]]


def _explain(
    bench: _Bench, lab: Laboratory, trials: list[Trial], other: Trial, runs: int
) -> tuple[Proved, Mends, Mended | None]:
    """Prove causes; where mended runs still differ, once more with all that can be pinned from the start."""
    switches = suspects.of_switches(trials)
    rounds = _rounds(bench, trials[0], other)
    proved = prove(lab, trials[0], other, rounds, switches)
    _place(bench, trials[0], other, rounds, proved)
    mends, mended = _mended(bench, trials, proved, runs)
    if mended is not None and not mended.equal and not proved.cut and not proved.remains:
        if bench.differ(trials[0], trials[-1]) is not None:
            other = trials[-1]  # two runs may have had the same of something by chance
        more = [one for some in _rounds(bench, trials[0], other) for one in some]
        again = prove(lab, trials[0], other, [more], switches)
        known = {(cause.keys, cause.switch, cause.source) for cause in proved.causes}
        proved.causes += [cause for cause in again.causes if (cause.keys, cause.switch, cause.source) not in known]
        proved.effects |= again.effects
        proved.remains = again.remains
        mends, mended = _mended(bench, trials, proved, runs)
    return proved, mends, mended


def _place(bench: _Bench, left: Trial, right: Trial, rounds: list[list[Suspect]], proved: Proved) -> None:
    """Find the lines of causes that leave no trace of a place: the one that parts two trials which differ in it alone."""
    known = [suspect for some in rounds for suspect in some]
    for number, cause in enumerate(proved.causes):
        if cause.site in ("", "fork") and (cause.keys or cause.source in (HASH, "memory addresses")) and not proved.cut:
            setups = _apart_in(cause, left, right, known)
            try:
                site = locate(lambda setup: bench.trial(setup, restores(known), "looking for the line"), *setups)
            except OutOfTime:
                proved.cut = True
                return
            proved.causes[number] = replace(cause, site=site or cause.site)
            proved.effects[proved.causes[number]] = proved.effects.pop(cause, 0.0)


def _apart_in(cause: Suspect, left: Trial, right: Trial, known: list[Suspect]) -> tuple[Setup, Setup]:
    """Two setups that are the same but for one cause; the seeds that follow from it are not held."""
    base = played(Setup(), [one for one in known if cause.seed or not one.seed], left)
    if cause.source == "memory addresses":
        return base, base  # they are never the same
    return base, played(base, [cause], right)


def _rounds(bench: _Bench, left: Trial, right: Trial) -> list[list[Suspect]]:
    """Values that were seen to differ; then what leaves no trace; then the numbers that generators were seeded with."""
    unseen = [Suspect(HASH)] if bench.free_hash else []
    disk = [Suspect(DISK, _reader(right, left, bench.disk.left))] if bench.disk.left else []
    outputs = suspects.of_outputs(left, right)
    return [suspects.of_values(left, right), disk + unseen + outputs, suspects.of_seeds(left, right)]


def _reader(trial: Trial, before: Trial, paths: tuple[Path, ...]) -> str:
    """Where a trial read the first file that a run before it had left; where that wrote it, if it was not read by Python."""
    names = {str(path) for path in paths}
    reads = (event for event in trial.events if event.kind == "read")
    writes = (event for event in before.events if event.kind in ("write", "folder"))
    return next((event.site for event in (*reads, *writes) if event.source in names and event.site), "")


def _mended(bench: _Bench, trials: list[Trial], proved: Proved, runs: int) -> tuple[Mends, Mended | None]:
    """Run the script with all edits in place; what has no edit is pinned."""
    if not proved.causes:
        return [], None
    clocks = [cause for cause in proved.causes if cause.source.startswith(CLOCKS)]
    if len(clocks) > 1:  # a time between two readings decides, and no constant mends that
        return _run_mended(bench, trials, proved, runs, clocks)
    mends, mended = _run_mended(bench, trials, proved, runs, [])
    if clocks and mended is not None and not mended.equal and not proved.cut:
        return _run_mended(bench, trials, proved, runs, clocks)
    return mends, mended


def _run_mended(
    bench: _Bench, trials: list[Trial], proved: Proved, runs: int, timed: list[Suspect]
) -> tuple[Mends, Mended | None]:
    """The same; timed: clocks in whose place no constant is put."""
    script, texts = bench.launch.script, {}  # type: ignore[var-annotated]
    files = ", ".join(str(path) for path in bench.disk.left[:3])
    mends = [
        (cause, mend(cause, [] if cause in timed else given(cause, trials[0]), script, texts, files))
        for cause in _in_file(proved.causes)
    ]
    pinned = [cause for cause, one in mends if not one.applies]
    setup = replace(
        played(Setup(), [cause for cause in pinned if cause.keys], trials[0]),
        edits=texts,
        hash_seed="0" if any(cause.source in (HASH, "memory addresses") for cause in proved.causes) else None,
        switches=frozenset(cause.switch for cause, one in mends if not one.applies or cause.switch == ONE_THREAD)
        - {""},
    )
    try:
        # a name that a clock or the system gave is the same now, and would be there already
        restore = restores(proved.causes) or any(not cause.likely for cause in proved.causes)
        done = _repeated(bench, trials, setup, restore, runs)
        if not restore and any(trial.exit_status and "xists" in trial.said for trial in done):
            done = _repeated(bench, trials, setup, True, runs)  # a folder whose name was chance has the same name now
    except OutOfTime:
        proved.cut = True
        return mends, None
    equal = not any(_broken(trial, trials) for trial in done) and all(
        bench.differ(done[0], trial) is None for trial in done[1:]
    )
    by_hand = tuple(cause.source for cause in pinned if cause.source != DISK)
    return mends, Mended(runs, equal, by_hand)


def _repeated(bench: _Bench, trials: list[Trial], setup: Setup, restore: bool, runs: int) -> list[Trial]:
    done: list[Trial] = []
    for _ in range(runs):
        _wait_for_the_next_second([*trials, *done], bench.until)  # a folder may have its name from the clock
        done.append(bench.trial(setup, restore, "running it mended"))
    return done


def _broken(trial: Trial, trials: list[Trial]) -> bool:
    """Whether it failed as none of these did."""
    failed = trial.exit_status >= 128 or (trial.exit_status and "Traceback (most recent call last)" in trial.said)
    return bool(failed) and trial.exit_status not in {one.exit_status for one in trials}


def _in_file(causes: list[Suspect]) -> list[Suspect]:
    """What is put first comes last, so that lines keep their numbers for the others."""
    return sorted(causes, key=lambda cause: cause.source in ("random", "numpy.random", "torch", "tensorflow.random"))


def _repeats(bench: _Bench, trials: list[Trial], cut: bool) -> CheckResult:
    if not any(outcomes.anything(trial) for trial in trials):
        note = "nothing was seen that could be compared: no training, nothing printed, no file that is known"
        return _undecided(bench, trials, note)
    return _result(bench, trials, "reproducible", note="the time was up before all runs were done" if cut else "")


def _undecided(bench: _Bench, trials: list[Trial], note: str) -> CheckResult:
    return _result(bench, trials, "undecided", note=note)


def _differs(
    bench: _Bench,
    trials: list[Trial],
    where: tuple[Found, Suspect | None],
    proved: Proved,
    mends: Mends,
    mended: Mended | None,
    cut: bool,
) -> CheckResult:
    """where: the first difference, and the first of the causes, else of what differed, as the script came to them."""
    first, lead = where
    causes = _causes(proved, mends, mended)
    remains = proved.remains or ("" if mended is None or mended.equal else "with all edits in place runs still differ")
    return _result(
        bench,
        trials,
        "not reproducible" if any(cause.confirmed for cause in causes) else "undecided",
        first_difference=CheckDifference(
            first.what,
            first.name,
            first.step,
            lead.site if lead else "",
            lead.source if lead else "",
            first.left,
            first.right,
        ),
        causes=causes,
        mended=mended,
        remains=remains,
        note="the time was up before all interventions were done" if cut else "",
    )


def _causes(proved: Proved, mends: Mends, mended: Mended | None) -> tuple[CheckCause, ...]:
    """Causes as they are told; one that a switch pins is a suspicion only where runs differ with all of them pinned."""
    total = sum(effect**2 for effect in proved.effects.values())
    told = dict(mends)
    found = []
    for cause in proved.causes:
        share = proved.effects.get(cause, 0.0) ** 2 / total if total > 0 else (1.0 if len(proved.causes) == 1 else None)
        fix = told[cause].words if cause in told else ""
        confirmed = not cause.switch or mended is None or mended.equal
        found.append(CheckCause(cause.source, cause.site, confirmed, share, fix))
    return tuple(found)


def _result(bench: _Bench, trials: list[Trial], verdict: Any, note: str = "", **more: Any) -> CheckResult:
    found = [value for value in map(outcomes.metric, trials) if value is not None]
    metric = Metric(found[0][0], tuple(value for _, value in found)) if found else None
    statuses = tuple(trial.exit_status for trial in trials)
    return CheckResult(
        verdict,
        runs=len(trials),
        script=bench.launch.script,
        arguments=bench.launch.arguments,
        interventions=bench.made - len(trials),
        compared=_compared(trials),
        exit_statuses=statuses,
        metric=metric,
        missed=_missed(len(trials)),
        note="; ".join(part for part in (note, _unwatched(trials)) if part),
        **more,
    )


def _unwatched(trials: list[Trial]) -> str:
    """What could not be watched, in words."""
    return "; ".join(
        {f"{e.source} could not be watched ({e.value})": 0 for t in trials for e in t.events if e.kind == UNWATCHED}
    )


def _compared(trials: list[Trial]) -> str:
    """What there was to compare, in words."""
    if not trials:
        return ""
    steps, logs = trials[0].run.steps, not any(map(outcomes.better_than_log, trials))
    lines = len(printed.lines(trials[0].said if logs else trials[0].printed))
    told = [f"{steps:,} steps of training"] if steps else []
    what = "lines of its log" if logs and lines else "printed lines"
    return ", ".join([*told, f"{lines:,} {what}", "files written", "exit status"])


def _missed(runs: int) -> float:
    """The share of runs in which a difference shows that as many equal runs would miss in one case of twenty."""
    return float(1 - 0.05 ** (1 / max(runs, 1)))


def standard_input() -> bytes:
    """What waits there: of a file all, of a pipe what somebody writes into it now; nothing of a terminal."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return b""
    if stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and select.select([0], [], [], 0.1)[0]):
        return sys.stdin.buffer.read()
    return b""
