"""A run of which any byte is missing or flipped is never taken for one that is whole, and never a crash."""

import contextlib
import shutil

import numpy as np
import pytest

import samestep
from recorded import Recording, write
from samestep.errors import SamestepError

ENTRIES = [["parameter", "w", "float32", [2]]]
SAMPLE = {"tensors": {"parameter/w": np.ones(2, np.float32)}, "dtypes": {"parameter/w": "float32"}, "step": 1}
FILES = ("manifest.json", "steps-0000.arrows", "steps-0000.sums", "steps-0001.arrows", "steps-0001.sums", "tensors.sums",
         "tensors/step-00000001.safetensors")  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run, and the folder of a copy of it."""
    place = tmp_path_factory.mktemp("faults")
    recordings = Recording(4, ENTRIES, ["loss"]), Recording(2, [], ["accuracy"], "log", steps=[1, 3])
    write(place / "run", *recordings, block=2, messages=[SAMPLE])
    shutil.copytree(place / "run", place / "copy")
    assert {str(path.relative_to(place / "run")) for path in (place / "run").rglob("*") if path.is_file()} == set(FILES)
    return samestep.Run.open(place / "run"), place / "copy"


def taken_for_whole(runs, file, spoiled):
    """The places at which a run with such bytes in a file is called identical to the whole one."""
    whole, copy = runs
    before = (copy / file).read_bytes()
    found = []
    for place, data in spoiled(before):
        (copy / file).unlink()
        (copy / file).write_bytes(data)
        with contextlib.suppress(SamestepError):  # it says so
            found += [place] if samestep.diff(whole, copy).verdict == "identical" else []
    (copy / file).write_bytes(before)
    assert samestep.diff(whole, copy).verdict == "identical"
    return found


def cut(data):
    return ((place, data[:place]) for place in range(len(data)))


def flipped(data):
    for place in range(len(data)):
        yield place, data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]


def lengthened(data):
    return ((len(data), data + more) for more in (b"\n", b"\0", b"0 0 8 " + b"0" * 32 + b"\n", data))


@pytest.mark.parametrize("fault", [cut, flipped, lengthened], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("file", FILES)
def test_no_fault_goes_unnoticed(runs, file, fault):
    assert taken_for_whole(runs, file, fault) == []


@pytest.mark.parametrize("file", FILES)
def test_no_missing_file_goes_unnoticed(runs, file):
    whole, copy = runs
    data = (copy / file).read_bytes()
    (copy / file).unlink()
    try:
        found = samestep.diff(whole, copy).verdict
    except SamestepError as error:
        found = str(error)
    (copy / file).write_bytes(data)
    assert found == "undecided" or "missing" in found or "holds no manifest" in found


def test_a_log_cut_together_with_its_sums_is_noticed(runs):
    whole, copy = runs
    log, sums = copy / "steps-0000.arrows", copy / "steps-0000.sums"
    before = log.read_bytes(), sums.read_bytes()
    for lines in range(len(before[1].splitlines())):
        kept = before[1].splitlines(keepends=True)[:lines]
        sums.write_bytes(b"".join(kept))
        log.write_bytes(before[0][: sum(int(line.split()[2]) for line in kept)])
        assert samestep.diff(whole, copy).verdict == "undecided"
    log.write_bytes(before[0])
    sums.write_bytes(before[1])


def test_rows_before_the_fault_are_compared(runs):
    whole, copy = runs
    path = copy / "steps-0000.arrows"
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    result = samestep.diff(whole, copy)
    path.write_bytes(data)
    assert (result.verdict, result.compared) == ("undecided", 2)
    assert "cut or damaged in steps-0000.arrows at byte" in result.right.cut
    assert "everything up to step 1 can be read" in result.right.cut
