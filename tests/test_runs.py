"""A run that was written is read bit for bit, holds what the format's page says, and lies in a folder of its own."""

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from recorded import ENTRIES, SCALARS, Recording, write
from samestep.errors import DataError, UsageError
from samestep.recording.recorder import Entry, Recorder
from samestep.runs.format import FORMAT, MANIFEST_SCHEMA
from samestep.runs.reading import Run
from samestep.runs.writing import RunWriter

ROOT = Path(__file__).parent.parent


def manifest(folder):
    """What the manifest says, held against its schema."""
    found = json.loads((folder / "manifest.json").read_bytes(), parse_constant=pytest.fail)
    jsonschema.Draft202012Validator(MANIFEST_SCHEMA).validate(found)
    return found


def columns(run, source):
    """All rows of a source, as a recorder hands them on."""
    blocks = run.sources.get(source, [])
    count = len(blocks[0].segment.scalars) if blocks else 0
    return {
        "step": np.concatenate([block.step for block in blocks]),
        "time": np.concatenate([block.time for block in blocks]),
        "batch": np.concatenate([block.batch for block in blocks]).view(np.uint8),
        "scalars": np.concatenate([_scalars(block, count) for block in blocks]),
        "digests": np.concatenate([block.digests for block in blocks]).view(np.uint8),
        "norms": np.concatenate([block.norms for block in blocks]),
    }


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert (found[name].shape, found[name].tobytes()) == (values.shape, values.tobytes()), name


def _scalars(block, count):
    return np.array([block.scalar(place) for place in range(count)]).reshape(count, block.rows).T


# bit for bit


def test_a_run_is_read_as_it_was_written(tmp_path):
    run = Run.open(write(tmp_path / "run", Recording()))
    assert_same_bits(columns(run, "SGD"), Recording().columns)
    assert [[e.kind, e.name, e.dtype, list(e.shape)] for e in run.segments[0].entries] == ENTRIES
    assert (run.segments[0].scalars, run.steps, run.status, run.cut) == (tuple(SCALARS), 30, "complete", "")


WORDS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from(
        [1 << 63, 0x7FF8000000000001, 0x7FF0000000000001, 0xFFF8000000000000, 1, (1 << 63) + 1, 0x7FF << 52]
    ),
)
"""Bits of doubles: negative zero, NaN with payloads, subnormals and infinities among them."""


@st.composite
def recordings(draw):
    """Tables of any values, each of its own source."""
    made = []
    for source in draw(st.lists(st.text(max_size=3), unique=True, max_size=3)):
        rows, scalars = draw(st.integers(1, 5)), draw(st.lists(st.text(max_size=3), unique=True, max_size=3))
        names = draw(st.lists(st.text(max_size=3), max_size=3))
        recording = Recording(rows, [["parameter", name, "float32", []] for name in names], scalars, source)
        for column in ("time", "scalars", "norms"):
            values = recording.columns[column]
            words = draw(st.lists(WORDS, min_size=values.size, max_size=values.size))
            recording.columns[column] = np.array(words, np.uint64).view(np.float64).reshape(values.shape)
        recording.columns["digests"][draw(st.integers(0, rows - 1)) :] = 0
        recording.columns["step"] = np.array(
            draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=rows, max_size=rows))
        )
        made.append((recording, draw(st.integers(1, 3))))
    return made


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(recordings())
def test_any_rows_are_read_bit_for_bit(made):
    with tempfile.TemporaryDirectory() as place:
        messages = [message for recording, block in made for message in recording.messages(block)]
        run = Run.open(write(Path(place) / "run", messages=messages))
        assert run.cut == ""
        assert len(run.segments) == len(made)
        for recording, _ in made:
            assert_same_bits(columns(run, recording.source), recording.columns)
        manifest(run.folder)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of modules that are asked for their version
def test_what_a_recorder_sends_is_written_and_read(tmp_path):
    writer = RunWriter(tmp_path / "run", ["train.py"], __file__)
    recorder = Recorder(writer.take, every=3)
    recorder.begin()
    entries = (Entry("parameter", "w", "float32", (2,)), Entry("gradient", "w", "bfloat16", (2,)))
    for step in range(7):
        arrays = [np.array([step, -0.0], np.float32), None if step == 5 else np.array([0x3F80, step], np.uint16)]
        recorder.update("SGD", entries, arrays, {"loss": 1 / (step + 1)}, b"0123456789abcdef")
    recorder.log(step=6, accuracy=0.5)
    recorder.end(0)
    writer.close(0)
    run = Run.open(tmp_path / "run")
    assert (run.status, run.steps, list(run.sources), run.samples) == ("complete", 7, ["SGD", "log"], [0, 3, 6])
    assert run.sources["SGD"][0].digests[5, 1].tolist() == [0, 0]
    assert np.isnan(run.sources["SGD"][0].norms[5, 1])
    assert run.tensors(3)["parameter/w"].tobytes() == np.array([3, -0.0], np.float32).tobytes()
    assert run.tensors(3)["gradient/w"].tolist() == [0x3F80, 3]
    assert manifest(run.folder)["script"]["digest"] is not None
    assert manifest(run.folder)["environment"]["packages"]["numpy"] == np.__version__


def test_whole_tensors_are_safetensors_that_others_read(tmp_path):
    tensors = {
        "parameter/w": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "parameter/half": np.array([0x3F80, 0x7FC1], np.uint16),
        "buffer/count": np.array(7),
        "buffer/empty": np.zeros((0, 3), np.float16),
        "buffer/names": np.array(["a"]),
    }
    dtypes = {name: array.dtype.name for name, array in tensors.items()} | {"parameter/half": "bfloat16"}
    folder = write(tmp_path / "run", messages=[{"tensors": tensors, "dtypes": dtypes, "step": 100}])
    assert sorted(os.listdir(folder / "tensors")) == ["step-00000100.safetensors"]
    raw = (folder / "tensors" / "step-00000100.safetensors").read_bytes()
    head = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert head["parameter/half"]["dtype"] == "BF16"
    for name, array in Run.open(folder).tensors(100).items():
        assert (array.shape, array.tobytes()) == (tensors[name].shape, tensors[name].tobytes())
    assert "buffer/names" not in head
    del tensors["parameter/half"]
    others = {"tensors": {"parameter/w": tensors["parameter/w"]}, "dtypes": dtypes, "step": 1}
    path = write(tmp_path / "other", messages=[others]) / "tensors" / "step-00000001.safetensors"
    assert np.array_equal(load_file(path)["parameter/w"], tensors["parameter/w"])


def test_the_log_is_an_arrow_stream_that_others_read(tmp_path):
    folder = write(tmp_path / "run", Recording())
    with pa.memory_map(str(folder / "steps-0000.arrows")) as file:
        table = pa.ipc.open_stream(file).read_all()
    assert table.column_names == ["step", "time", "batch", *(f"scalar.{name}" for name in SCALARS), "digests", "norms"]
    assert table.column("scalar.loss").to_pylist() == Recording().columns["scalars"][:, 2].tolist()
    assert table.column("digests").to_pylist()[3][2] == Recording().columns["digests"][3, 2].tobytes()
    assert json.loads(table.schema.metadata[b"samestep"])["source"] == "SGD"


def test_small_blocks_are_read_as_larger_ones(tmp_path):
    sources = [Recording(400, source=name) for name in "ab"]
    halves = [recording.rows(row, row + 1) for row in range(400) for recording in sources]
    run = Run.open(write(tmp_path / "run", messages=[*(recording.head() for recording in sources), *halves]))
    assert [(block.segment.source, block.rows) for block in run.blocks] == [
        ("a", 256),
        ("b", 256),
        ("a", 144),
        ("b", 144),
    ]
    for recording in sources:
        assert_same_bits(columns(run, recording.source), recording.columns)


def test_rows_are_views_of_the_file(tmp_path):
    (block, *_) = Run.open(write(tmp_path / "run", Recording(500), block=256)).blocks
    assert not block.digests.flags.owndata
    assert not block.digests.flags.writeable


# the manifest


@pytest.mark.parametrize(
    ("options", "status", "note"),
    [
        ({}, "complete", ""),
        ({"exit_status": 1}, "failed", ""),
        ({"ended": False, "exit_status": -9}, "incomplete", "the process ended before its recording did"),
        ({"messages": [{"failed": "at update 3: why"}]}, "incomplete", "at update 3: why"),
    ],
)
def test_the_manifest_says_how_the_run_ended(tmp_path, options, status, note):
    folder = write(tmp_path / "run", Recording(), **options)
    found = manifest(folder)
    assert (found["format"], found["status"], found["note"]) == (FORMAT, status, note)
    assert found["exit_status"] == options.get("exit_status", 0)
    assert found["segments"] == [{"file": "steps-0000.arrows", "source": "SGD", "rows": 30}]
    assert bool(Run.open(folder).cut) == (status == "incomplete")


def test_a_run_that_is_being_recorded_can_be_read(tmp_path):
    writer = RunWriter(tmp_path / "run", ["train.py"], "train.py")
    assert "nothing of it can be read" in Run.open(tmp_path / "run").cut
    for message in Recording().messages():
        writer.take(message)
    run = Run.open(tmp_path / "run")
    assert manifest(run.folder)["status"] == "running"
    assert_same_bits(columns(run, "SGD"), Recording().columns)
    assert "everything up to step 29 can be read" in run.cut


def test_words_of_a_command_that_are_no_unicode_are_kept(tmp_path):
    command = os.fsdecode(b"train-\xff.py")
    assert manifest(write(tmp_path / "run", command=command))["command"] == [command]


def test_the_schema_in_the_docs_is_the_one_that_manifests_keep():
    page = ROOT / "docs" / "reference" / "run-manifest.schema.json"
    assert json.loads(page.read_text()) == MANIFEST_SCHEMA
    jsonschema.Draft202012Validator.check_schema(MANIFEST_SCHEMA)


def test_the_page_of_the_format_names_every_field_of_the_manifest():
    page = (ROOT / "docs" / "reference" / "run-format.md").read_text()
    assert [name for name in MANIFEST_SCHEMA["properties"] if f"`{name}`" not in page] == []
    assert f"`{FORMAT}`" in page


# the folder


def test_an_existing_folder_is_left_as_it_is(tmp_path):
    with pytest.raises(UsageError, match=r"exists already\. A run is written into a folder of its own"):
        RunWriter(tmp_path, [], "train.py")
    assert list(tmp_path.iterdir()) == []


def test_of_writers_that_race_for_a_folder_one_gets_it(tmp_path):
    got, refused = [], []

    def race():
        try:
            got.append(RunWriter(tmp_path / "run", [], "train.py"))
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_place_that_cannot_be_written_to_is_said(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(UsageError, match=re.escape(f"cannot be created: {os.strerror(number)}")):
        RunWriter(tmp_path / "run", [], "train.py")


@pytest.mark.parametrize("place", ["nowhere/run", "file/run"])
def test_a_folder_below_nothing_is_said(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be created"):
        RunWriter(tmp_path / place, [], "train.py")


# the end of the disk, and of the writer

CHILD = """
import os, resource, signal, sys
sys.path.insert(0, {tests!r})
from recorded import ENVIRONMENT, Recording
from samestep.errors import DataError
from samestep.runs.writing import RunWriter
writer = RunWriter("run", ["train.py"], "train.py")
writer.take({{"environment": ENVIRONMENT, "digest": "xxh3-128"}})
messages = list(Recording(200).messages())
"""
FULL = """
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
told = []
for message in messages:
    try:
        writer.take(message)
    except DataError as error:
        told.append(str(error))
writer.close(0)
assert len(told) == 1, told
print(told[0])
"""
FULL_AT_THE_END = """
for message in messages:
    writer.take(message)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    writer.close(0)
except DataError as error:
    print(error)
"""
KILLED = """
for message in messages[:11]:
    writer.take(message)
os.kill(os.getpid(), signal.SIGKILL)
"""


def in_a_child(tmp_path, code):
    source = CHILD.format(tests=str(Path(__file__).parent)) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    return done, Run.open(tmp_path / "run")


def test_what_was_written_before_the_disk_was_full_can_be_read(tmp_path):
    done, run = in_a_child(tmp_path, FULL)
    assert done.returncode == 0, done.stderr
    assert re.search("could not be written further: File too large.*Make room", done.stdout)
    assert (run.status, 0 < run.steps < 200) == ("incomplete", True)
    assert f"everything up to step {run.steps - 1} can be read" in run.cut
    assert_same_bits(columns(run, "SGD"), {n: v[: run.steps] for n, v in Recording(200).columns.items()})
    manifest(run.folder)


def test_a_run_whose_manifest_could_not_be_written_is_one_that_was_not_ended(tmp_path):
    done, run = in_a_child(tmp_path, FULL_AT_THE_END)
    assert "could not be written further: File too large" in done.stdout, done.stderr
    assert (run.status, run.steps) == ("running", 200)


def test_a_writer_that_is_killed_loses_nothing_that_it_took(tmp_path):
    done, run = in_a_child(tmp_path, KILLED)
    assert done.returncode == -9, done.stderr
    assert (run.status, run.steps) == ("running", 80)
    assert "was killed; everything up to step 79 can be read" in run.cut


# what is no run


def test_a_folder_that_is_no_run_is_said(tmp_path):
    with pytest.raises(UsageError, match="there is no such folder"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"holds no manifest\.json"):
        Run.open(tmp_path)


def test_pipes_in_the_place_of_files_are_not_waited_for(tmp_path):
    folder = write(tmp_path / "run", Recording())
    (folder / "steps-0000.sums").unlink()
    os.mkfifo(folder / "steps-0000.sums")
    assert "cut or damaged in steps-0000.arrows at byte 0" in Run.open(folder).cut
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    with pytest.raises(UsageError, match="so it is not a run"):
        Run.open(folder)


def test_a_manifest_of_another_version_is_said(tmp_path):
    path = write(tmp_path / "run") / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"samestep/run/1", b"samestep/run/2"))
    with pytest.raises(DataError, match="is of the format samestep/run/2, and this samestep reads samestep/run/1"):
        Run.open(tmp_path / "run")


def test_a_missing_segment_is_said(tmp_path):
    folder = write(tmp_path / "run", Recording())
    (folder / "steps-0000.arrows").unlink()
    with pytest.raises(DataError, match=r"steps-0000\.arrows is missing"):
        Run.open(folder)


def test_damaged_tensors_are_not_handed_out(tmp_path):
    sample = {"tensors": {"parameter/w": np.ones(3)}, "dtypes": {"parameter/w": "float64"}, "step": 5}
    folder = write(tmp_path / "run", Recording(), messages=[sample])
    path = folder / "tensors" / "step-00000005.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DataError, match="no undamaged tensors of step 5"):
        Run.open(folder).tensors(5)
