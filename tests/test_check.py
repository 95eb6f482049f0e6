"""samestep check: which scripts repeat, what is to blame if not, and that watching changes nothing."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import samestep
from samestep.checking import mends, printed
from samestep.checking.interventions import Laboratory, prove
from samestep.checking.locating import parting
from samestep.checking.outcomes import Found
from samestep.checking.suspects import Suspect
from samestep.checking.trials import Launch, Setup
from samestep.errors import ProgramError, UsageError
from samestep.results import CheckResult


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Writes a script into a folder of its own, which becomes the current one, and returns its path."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)

    def write(text, name="train.py"):
        (folder / name).write_text(textwrap.dedent(text).lstrip("\n"))
        return str(folder / name)

    return write


def told(result):
    return [(cause.source, cause.site) for cause in result.causes]


def proved(result):
    return result.verdict == "not reproducible" and result.mended.equal and not result.remains


# one source


SOURCES = {
    "numpy.random.default_rng": "import numpy as np\nrng = np.random.default_rng()\nprint(rng.random())\n",
    "numpy.random": "import numpy as np\nloss = np.random.rand()\nprint(loss)\n",
    "random": "import random\nloss = random.gauss(0, 1)\nprint(loss)\n",
    "random.Random": "import random\nrng = random.Random()\nprint(rng.random())\n",
    "os.urandom": "import os\nseed = os.urandom(4)\nprint('loss', seed[0] / 7, seed[1])\n",
    "time.time_ns": "import random, time\nrandom.seed(time.time_ns())\nprint(random.random())\n",
    "hash seed": "words = {'a', 'b', 'c', 'd', 'e', 'f', 'g'}\nfor number, word in enumerate(words):\n    print(number, word)\n",
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_is_named_with_its_line_and_taken_away(source, script):
    result = samestep.check(script(SOURCES[source]), runs=2)
    assert told(result) == [(source, "train.py:2")]
    assert proved(result)
    assert result.causes[0].share == 1
    assert result.exit_status == 1


FRAMEWORKS = {
    "keras": """
        import os; os.environ["KERAS_BACKEND"] = "jax"
        import keras, numpy as np
        model = keras.Sequential([keras.Input((3,)),
            keras.layers.Dense(2)])
        model.compile("sgd", "mse")
        model.fit(np.ones((8, 3)), np.ones((8, 2)), epochs=2, verbose=0)
    """,
    "torch": """
        import torch
        torch.nn.functional.relu(torch.ones(1))
        ones = torch.ones(4, 3)
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(ones).sum().backward()
            optimizer.step()
    """,
}


@pytest.mark.parametrize(("framework", "source"), [("keras", "random"), ("torch", "torch")])
def test_initial_weights_without_a_seed_are_seen_in_the_training_and_blamed_on_their_layer(framework, source, script):
    result = samestep.check(script(FRAMEWORKS[framework]), runs=2)
    assert told(result) == [(source, "train.py:4")]
    assert result.first_difference.step == 0
    assert proved(result)


def test_an_edit_is_made_in_the_file_that_is_to_blame_and_only_for_the_proof(script):
    helper = script(
        "import numpy as np\n\n\ndef noise():\n    return np.random.default_rng(None).random()\n", "helper.py"
    )
    result = samestep.check(script("import helper\nprint(helper.noise())\n"), runs=2)
    assert told(result) == [("numpy.random.default_rng", "helper.py:5")]
    assert "np.random.default_rng(0) in the place of np.random.default_rng(None)" in result.causes[0].fix
    assert proved(result)
    assert "default_rng(None)" in Path(helper).read_text()


def test_two_sources_are_told_apart_with_their_shares(script):
    text = """
        import os, random
        small = os.urandom(1)[0] / 1e6
        large = random.Random().random()
        unused = os.urandom(8)
        print("loss", small + large)
    """
    result = samestep.check(script(text), runs=2)
    assert sorted(told(result)) == [("os.urandom", "train.py:2"), ("random.Random", "train.py:3")]
    shares = {cause.source: cause.share for cause in result.causes}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["random.Random"] > 0.9
    assert proved(result)


def test_a_listing_is_blamed_where_sorting_it_mends_the_script(script):
    text = """
        import os, tempfile
        folder = tempfile.mkdtemp()
        for number in range(12):
            open(tempfile.mkstemp(f"-{number}", f"{number:02d}-", folder)[1], "w").write(str(number))
        print([open(os.path.join(folder, name)).read() for name in os.listdir(folder)])
    """
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("directory listing", "train.py:5")]
    assert "sorted(os.listdir(folder))" in result.causes[0].fix
    assert proved(result)


def test_a_scan_of_a_folder_that_with_closes_is_sorted_where_it_is_used(script):
    text = """
        import os, tempfile
        folder = tempfile.mkdtemp()
        for number in range(12):
            open(tempfile.mkstemp(f"-{number}", f"{number:02d}-", folder)[1], "w").write(str(number))
        with os.scandir(folder) as entries:
            for entry in entries:
                print(open(entry.path).read())
    """
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("directory listing", "train.py:5")]
    assert "train.py:6: sorted(entries, key=lambda entry: entry.name) in the place of entries" in result.causes[0].fix
    assert proved(result)


def test_threads_that_wait_at_a_queue_are_blamed_for_the_order_of_their_results(script):
    text = """
        import os, queue, threading, time
        waiting, done = queue.Queue(), []
        def work():
            while (number := waiting.get()) is not None:
                time.sleep(os.urandom(1)[0] / 1e5)
                done.append(number)
                waiting.task_done()
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in [*range(12), None, None, None]:
            waiting.put(number)
        for thread in threads:
            thread.join()
        print(done)
    """
    result = samestep.check(script(text), runs=2)
    assert ("thread timing", "train.py:10") in told(result)
    assert proved(result)


def test_files_that_a_run_leaves_are_blamed_and_nothing_of_the_users_is_lost(script, tmp_path):
    path = script(
        """
        import json, os
        state = json.load(open("state.json")) if os.path.exists("state.json") else {"steps": 0}
        state["steps"] += 1
        json.dump(state, open("state.json", "w"))
        print(state["steps"])
        """
    )
    kept = script("my own", "notes.txt")
    result = samestep.check(path, runs=2)
    assert told(result) == [("files left by the previous run", "train.py:2")]
    assert proved(result)
    assert Path(kept).read_text() == "my own"
    assert os.path.exists("state.json")


@pytest.mark.parametrize(
    ("source", "now", "mended"),
    [
        ("time.strftime", "time.strftime('%M%S')", "time.strftime('%M%S', (2"),
        ("time.localtime", "str(time.localtime().tm_sec)", "time').struct_time((2"),
        ("time.gmtime", "str(time.gmtime())", "time').struct_time((2"),
        ("time.ctime", "time.ctime()", " 20"),
        ("time.time", "int(time.time())", "1"),
    ],
)
def test_a_seed_of_whole_seconds_is_found_although_the_script_takes_less(script, source, now, mended):
    result = samestep.check(script(f"import random, time\nprint(random.Random({now}).random())\n"), runs=2)
    assert told(result) == [(source, "train.py:2")]
    assert mended in result.causes[0].fix
    assert proved(result)


def test_a_clock_that_a_dataclass_asks_is_the_users(script):
    text = """
        import random, time
        from dataclasses import dataclass, field
        @dataclass
        class Config:
            seed: int = field(default_factory=time.time_ns)
        print(random.Random(Config().seed).random())
    """
    assert [source for source, _ in told(samestep.check(script(text), runs=2))] == ["time.time_ns"]


def test_what_timeit_measures_does_not_count(script):
    text = "import timeit\nprint(timeit.timeit('sum(range(99))', number=999))\nprint(0.5)\n"
    assert samestep.check(script(text), runs=2).verdict == "reproducible"


def test_the_output_of_a_command_is_blamed_where_the_command_is_no_python(script):
    text = "import subprocess\nprint(subprocess.check_output('echo $$ $RANDOM; date +%N', shell=True))\n"
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("subprocess output", "train.py:2")]
    assert proved(result)


def test_what_a_python_child_draws_is_blamed_rather_than_what_it_prints(script):
    script("import random\nprint(random.random())\n", "child.py")
    text = "import subprocess, sys\nprint(subprocess.check_output([sys.executable, 'child.py']))\n"
    assert [source for source, _ in told(samestep.check(script(text), runs=2))] == ["random"]


def test_the_order_in_which_asyncio_waits_for_tasks_is_blamed(script):
    text = """
        import asyncio, os
        async def step(number):
            await asyncio.sleep(os.urandom(1)[0] / 5e3)
            return number
        async def main():
            pending = {asyncio.ensure_future(step(number)) for number in range(6)}
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                print([one.result() for one in done])
        asyncio.run(main())
    """
    result = samestep.check(script(text), runs=2)
    assert set(told(result)) <= {("os.urandom", "train.py:3"), ("completion order", "train.py:8")}
    assert proved(result)


def test_a_seed_that_is_a_hash_is_blamed_where_the_generator_is_seeded(script):
    result = samestep.check(script("import random\nrandom.seed(hash('run'))\nx = 1\nprint(random.random())\n"), runs=2)
    assert told(result) == [("hash seed", "train.py:2")]
    assert proved(result)


def test_a_split_without_a_generator_is_blamed_on_its_line(script):
    text = """
        import torch
        from torch.utils.data import random_split
        train, rest = random_split(range(20), [15, 5])
        kept = torch.empty(2).uniform_()
        torch.manual_seed(0)
        print(list(train.indices))
    """
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("torch", "train.py:3")]
    assert proved(result)


def test_a_script_that_always_fails_is_refused_whatever_its_exception_says(script):
    with pytest.raises(ProgramError, match="fails in every run"):
        samestep.check(script("import os\nraise ValueError(f'not {os.urandom(4)}')\n"), runs=2)


HIDDEN = {
    "seconds": "print(f'MAE {v:.4f} min')",
    "label": "print('median survival time', v)",
    "bar": "import sys\nsys.stderr.write(f'100%|##| 5/5 [00:01<00:00, loss={v}]\\n')\nprint('done')",
    "unknown kind": "open('model.xyz', 'w').write(str(v))",
    "new name": "import uuid\nopen(f'run-{uuid.uuid4()}.json', 'w').write(str(v))",
    "near 1970": "print(1.6e9 + 1e8 * v)",
    "beside a path": "print(f'saved (val_loss={v})')",
    "compact": 'print(f\'{{"time":0.1,"loss":{v}}}\')',
    "order": "import threading\nthreading.Thread(target=print).start()\nfor n in r.sample(range(9), 9): print(n)",
}


@pytest.mark.parametrize("told_by", HIDDEN)
def test_a_result_that_looks_like_a_time_or_lies_where_nothing_is_compared_counts(script, told_by):
    text = f"import random\nr = random.Random()\nv = r.random()\n{HIDDEN[told_by]}\n"
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("random.Random", "train.py:2")]
    assert proved(result)


def test_times_do_not_count_where_a_generator_is_not_seeded(script):
    text = """
        import random, time
        begun, v = time.perf_counter(), random.random()
        time.sleep(0.01 + v / 100)
        print(f"epoch took {time.perf_counter() - begun:.3f} s, elapsed: {time.perf_counter() - begun}")
        open("notes.xyz", "w").write(str(time.time()))
    """
    assert samestep.check(script(text), runs=3).verdict == "reproducible"


ONLY_TIMES = {
    "rate": "print(f'{n / took:,.0f} of them, {n / took:.2f} fps')",
    "tag": "import json\nprint(json.dumps({'tag': 'steps_per_sec', 'value': n / took}))",
    "column": "open('h.csv', 'w').write(f'step,samples_per_second\\n1,{n / took}\\n')",
    "table": "print('stage  seconds  share')\nprint(f'load  {took:.6f}  {100 * took / (took + 0.01):.1f}%')",
    "pickle": "import pickle\npickle.dump({'at': time.time(), 'ns': time.time_ns(), 'w': 0.5}, open('m.pkl', 'wb'))",
    "date in a pickle": "import datetime, pickle\npickle.dump(datetime.datetime.now(), open('m.pkl', 'wb'))",
    "port": "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\nprint('on', s.getsockname())",
    "thread": "import threading\nprint('in', threading.get_ident())",
    "log of threads": "import threading\nf = open('t.log', 'w')\nfor t in [threading.Thread(target=lambda i=i: "
    "(time.sleep(__import__('os').urandom(1)[0] / 1e4), f.write(f'{i}\\n'))) for i in range(4)]: t.start()",
    "memory": "import resource\nprint('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 'KB')",
}


@pytest.mark.parametrize("told_by", ONLY_TIMES)
def test_times_and_numbers_of_the_system_that_are_told_otherwise_do_not_count(script, told_by):
    begin = "import time\nbegun, n = time.perf_counter(), 512\ntime.sleep(0.003)\ntook = time.perf_counter() - begun\n"
    result = samestep.check(script(f"{begin}{ONLY_TIMES[told_by]}\nprint('loss', 0.5)\n"), runs=3)
    assert result.verdict == "reproducible", result


@pytest.mark.parametrize(
    "call", ["np.random.default_rng(seed)", "np.random.seed(seed) or np.random", "random.Random(seed)"]
)
def test_a_line_that_is_given_a_seed_once_and_once_none_is_blamed_for_the_second(script, call):
    text = f"import random\nimport numpy as np\ndef make(seed=None):\n    return {call}\n"
    result = samestep.check(
        script(f"{text}print(make(5).normal if 0 else repr(make(5)) and 1)\nw = make()\nprint(w.random())\n")
    )
    assert [site for _, site in told(result)] == ["train.py:4"]
    assert "0 if seed is None else seed" in result.causes[0].fix
    assert proved(result)


def test_a_count_of_runs_is_blamed_although_other_numbers_are_drawn(script):
    text = """
        import os, numpy as np
        n = len(open("runs.txt").read()) if os.path.exists("runs.txt") else 0
        open("runs.txt", "a").write("x")
        print("loss", n + np.random.default_rng(100 + n).normal(size=3).sum())
    """
    result = samestep.check(script(text), runs=2)
    assert [source for source, _ in told(result)] == ["files left by the previous run"]
    assert proved(result)


def test_a_folder_whose_name_was_chance_is_no_obstacle_to_the_mended_runs(script):
    text = "import os, random\nos.makedirs('run-%d' % random.randint(1, 10**9))\nprint(random.random())\n"
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("random", "train.py:2")]
    assert proved(result)


def test_a_cache_that_only_the_first_run_fills_does_not_hide_what_it_was_made_of(script):
    text = """
        import json, os, random
        if not os.path.exists("split.json"):
            json.dump(random.sample(range(50), 9), open("split.json", "w"))
        print(json.load(open("split.json")))
    """
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("random", "train.py:3")]
    assert proved(result)


def test_memory_that_is_read_before_it_is_filled_is_blamed_although_it_held_the_same(script):
    text = "import numpy as np\nx = np.empty(4)\nx[:3] = 1\ny = np.empty(3)\ny[:] = 2\nprint(x[3] == 101, y.sum())\n"
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("numpy.empty", "train.py:2")]
    assert "memory" in result.note
    assert proved(result)


def test_a_cache_of_what_is_the_same_in_every_run_does_no_harm(script):
    text = """
        import json, os
        if not os.path.exists("split.json"):
            json.dump([1, 2, 3], open("split.json", "w"))
        print(json.load(open("split.json")))
    """
    assert samestep.check(script(text), runs=2).verdict == "reproducible"


def test_of_two_generators_on_a_line_each_is_mended_in_its_own_place(script):
    text = "import random, numpy as np\nprint(random.Random().random(), np.random.default_rng().random())\n"
    result = samestep.check(script(text), runs=2)
    fixes = {cause.source: cause.fix for cause in result.causes}
    assert "random.Random(0) in the place of random.Random()" in fixes["random.Random"]
    assert "default_rng(0) in the place of np.random.default_rng()" in fixes["numpy.random.default_rng"]
    assert proved(result)


def test_edits_reach_workers_that_begin_anew(script):
    text = """
        import multiprocessing, random
        def draw(number):
            return random.Random().random()
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(draw, range(3)))
    """
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("random.Random", "train.py:3")]
    assert proved(result)


def test_a_name_of_random_bits_that_is_only_printed_does_not_count(script):
    text = "import secrets\nname = secrets.token_hex(4)\nprint(f'[{name}] loss 0.5')\n"
    assert samestep.check(script(text), runs=2).verdict == "reproducible"


def test_a_script_that_fails_is_quoted_without_what_watches_it(script):
    with pytest.raises(ProgramError, match="No such file") as raised:
        samestep.check(script("print(open('nothing.txt').read())\n"), runs=2)
    assert "watching" not in str(raised.value)


def test_an_interpreter_that_is_none_is_named(script):
    with pytest.raises(ProgramError, match="/bin/true is no Python"):
        samestep.check(script("print(1)\n"), python="/bin/true")


def test_what_somebody_else_writes_meanwhile_is_not_lost(script):
    path = script("import os, random\nprint(random.random())\nopen('out.txt', 'w').write('x')\n")
    begun = []

    def write(doing, fraction):
        begun.append(doing)
        if len(begun) == 2:
            Path("mine.txt").write_text("mine")
        if len(begun) == 4:
            Path("train.py").write_text(Path("train.py").read_text() + "# a note of mine\n")

    samestep.check(path, runs=2, progress=write)
    assert len(begun) > 4
    assert Path("mine.txt").read_text() == "mine"
    assert Path("train.py").read_text().endswith("mine\n")
    assert Path("out.txt").read_text() == "x"


def test_the_order_in_which_tasks_are_done_is_played_and_blamed(script):
    text = """
        import os, time
        from concurrent.futures import ThreadPoolExecutor, as_completed
        with ThreadPoolExecutor(4) as pool:
            tasks = [pool.submit(lambda n: time.sleep(os.urandom(1)[0] / 1e5) or n, n) for n in range(30)]
            total = 0.0
            for task in as_completed(tasks):
                total = total * 0.9 + task.result()
        print(total)
    """
    result = samestep.check(script(text))
    assert told(result) == [("completion order", "train.py:6")]
    assert proved(result)


def test_what_a_child_draws_is_seen(script):
    text = """
        import multiprocessing, random
        def draw(_):
            return random.Random().random()
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(1) as pool:
                print(pool.map(draw, range(2)))
    """
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("random.Random", "train.py:3")]
    assert proved(result)


def test_a_python_process_that_the_script_starts_is_watched(script):
    script("import random\nprint(random.random())\n", "child.py")
    text = "import subprocess, sys\nprint(subprocess.run([sys.executable, 'child.py'], capture_output=True).stdout)\n"
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("random", "child.py:2")]


def test_more_values_are_played_than_a_command_line_holds(script):
    text = "import os\nbits = [os.urandom(2) for _ in range(5000)]\nprint('loss', sum(b[0] for b in bits) / 7)\n"
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("os.urandom", "train.py:2")]
    assert proved(result)


def test_a_rare_difference_is_found_with_more_runs_and_its_rarity_is_told(script):
    text = "import os\nrare = os.urandom(1)[0] < 100\nprint('loss', 0.5 if rare else 0.25)\n"
    result = samestep.check(script(text), runs=12)
    assert told(result) == [("os.urandom", "train.py:2")]
    assert proved(result)
    assert samestep.check(script("print(1)"), runs=12).missed == pytest.approx(0.22, abs=0.01)


# scripts that repeat


QUIET = {
    "times and names are printed": """
        import os, random, time, uuid
        begun = time.time()
        random.seed(3)
        print("run id", uuid.uuid4(), "by", os.getpid())
        print("loss", random.random(), "took", time.time() - begun, f"{time.perf_counter() - begun:.3f}s")
    """,
    "a set is sorted before it is used": "print(sorted({'a', 'b', 'c', 'd', 'e'}))",
    "threads whose order does not count": """
        import threading, random
        found = []
        threads = [threading.Thread(target=lambda n=n: found.append(n)) for n in range(8)]
        [t.start() for t in threads]; [t.join() for t in threads]
        print(sum(found))
    """,
    "seeded after an import that draws": "import random\nrandom.random()\nrandom.seed(1)\nprint(random.random())",
}


@pytest.mark.parametrize("text", QUIET.values(), ids=QUIET)
def test_a_script_that_repeats_is_called_reproducible(text, script):
    result = samestep.check(script(text))
    assert (result.verdict, result.causes, result.interventions) == ("reproducible", (), 0)
    assert result.missed == pytest.approx(0.63, abs=0.01)


def test_watching_changes_no_bit(script):
    text = """
        import random
        import numpy as np
        random.seed(1); np.random.seed(2)
        rng, old = np.random.default_rng(3), np.random.RandomState(4)
        print(random.random(), np.random.rand(), rng.random(), old.rand(), random.Random(5).random())
        print(sorted(__import__("os").listdir(".")), np.empty(0).sum())
    """
    path = script(text)
    plain = subprocess.run([sys.executable, path], capture_output=True, text=True).stdout
    assert samestep.check(path, runs=2).metric.values == (printed.last_number(plain)[1],) * 2
    watched = subprocess.run(
        [sys.executable, "-m", "samestep", "check", "--runs", "2", path], capture_output=True, text=True
    )
    assert watched.stdout.startswith("REPRODUCIBLE"), watched.stdout + watched.stderr


def test_edits_leave_the_lines_of_what_is_held_as_they_are(script):
    text = """
        from dataclasses import dataclass, field
        import random
        @dataclass
        class Config:
            rate: float = field(default_factory=lambda: random.uniform(0.1, 0.2))
            rng: random.Random = field(default_factory=random.Random)
        config = Config()
        print("rate", config.rate, "draw", config.rng.random())
    """
    result = samestep.check(script(text), runs=2)
    assert sorted(told(result)) == [("random", "train.py:5"), ("random.Random", "train.py:7")]
    assert result.mended.pinned == ("random.Random",)
    assert proved(result)


def test_a_line_that_only_prints_what_differs_is_found(script):
    result = samestep.check(script("words = {'a', 'b', 'c', 'd', 'e', 'f'}\n\nprint(f'{words}')\n"), runs=2)
    assert told(result) == [("hash seed", "train.py:3")]


def test_a_seed_that_follows_from_hashes_is_blamed_on_the_line_that_makes_it(script):
    text = "import random\nrng = random.Random(hash('a') % 1000003)\nprint('loss', rng.random())\n"
    assert told(samestep.check(script(text), runs=2)) == [("hash seed", "train.py:2")]


def test_what_a_run_appends_is_compared_and_not_what_was_there_before(script):
    assert samestep.check(script("open('log.txt', 'a').write('loss 0.5')\n"), runs=2).verdict == "reproducible"
    text = "import os\nopen('log.txt', 'a').write('loss %d' % os.urandom(1)[0])\n"
    assert samestep.check(script(text, "other.py"), runs=3).verdict == "not reproducible"


def test_a_folder_that_has_a_new_name_in_every_run_is_no_cause(script):
    text = """
        import datetime, pathlib, random, uuid
        folder = pathlib.Path("runs") / f"{datetime.datetime.now():%H%M%S.%f}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        (folder / "note.txt").write_text("begun")
        print("writing to", folder.name[-8:])
        print("loss", random.random())
    """
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("random", "train.py:6")]
    assert proved(result)


def test_a_script_that_only_logs_is_compared_by_its_log(script):
    text = """
        import logging, random
        logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
        logging.info("loss %s", random.random())
    """
    result = samestep.check(script(text), runs=2)
    assert told(result) == [("random", "train.py:3")]
    assert proved(result)


def test_an_exit_status_that_differs_may_be_any_of_those_seen_when_the_script_is_mended(script):
    result = samestep.check(script("import os, sys\nsys.exit(os.urandom(1)[0] % 200)\n"), runs=3)
    assert proved(result)


def test_of_a_text_file_the_line_that_differs_is_told(script):
    text = "import os\nopen('h.csv', 'w').write(f'a,b\\n1,{os.urandom(4).hex()}z\\n')\n"
    difference = samestep.check(script(text), runs=2).first_difference
    assert difference.what == "file"
    assert difference.left.startswith("1,")
    assert difference.left != difference.right


def test_times_that_the_script_measures_do_not_count_however_it_prints_them(script):
    text = """
        import time
        with open("history.csv", "w") as file:
            for epoch in range(3):
                begun = time.perf_counter()
                sum(range(100000))
                print(epoch, 0.5, time.perf_counter() - begun, sep="|")
                print(epoch, 0.5, time.perf_counter() - begun, sep=",", file=file)
    """
    assert samestep.check(script(text), runs=2).verdict == "reproducible"


def test_one_array_that_is_not_initialised_is_made_of_zeros_and_no_other(script, tmp_path):
    text = """
        import numpy as np
        keep = np.full(500, 7.0)
        del keep
        one = np.empty(500)
        print(one.max())
    """
    assert _watched(script(text), tmp_path / "one", switches=frozenset({"memory of zeros: train.py:4"})) == "0.0\n"
    assert _watched(script(text), tmp_path / "two", switches=frozenset({"memory of zeros: train.py:2"})) != "0.0\n"


def test_one_worker_does_all_tasks_of_a_pool_if_their_assignment_is_pinned(script, tmp_path):
    text = """
        import multiprocessing, os, time
        def work(i):
            time.sleep(0.05)
            return os.getpid()
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(3) as pool:
                print(len(set(pool.map(work, range(6), chunksize=1))))
    """
    assert _watched(script(text), tmp_path, switches=frozenset({"one worker"})) == "1\n"


def test_a_generator_of_pytorch_that_seeds_itself_is_played(script, tmp_path):
    text = "import torch\ng = torch.Generator()\nprint(g.seed(), g.initial_seed())\n"
    played = {"0": {"torch.Generator.seed @ train.py:3": [7]}}
    assert _watched(script(text), tmp_path, played=played) == "7 7\n"


def _watched(path, folder, **setup):
    launch = Launch(path, (), sys.executable, b"", dict(os.environ))
    return launch.trial(folder / "trial", Setup(**setup), None).printed


# what cannot be decided, and what goes wrong


def test_a_difference_without_a_cause_is_undecided(script):
    text = """
        import ctypes
        bits = ctypes.create_string_buffer(8)
        ctypes.CDLL(None).getrandom(bits, 8, 0)
        print(int.from_bytes(bits.raw, "big"))
    """
    result = samestep.check(script(text), runs=2)
    assert (result.verdict, result.causes, result.exit_status) == ("undecided", (), 3)
    assert result.first_difference.what == "printed line"
    assert result.remains


def test_a_script_of_which_nothing_can_be_compared_is_undecided(script):
    assert samestep.check(script("x = 1"), runs=2).verdict == "undecided"


def test_a_script_that_fails_every_time_is_refused_with_what_it_said(script):
    with pytest.raises(ProgramError, match=r"fails in every run.*\n.*\n.*train.py.*\n(.*\n)*ZeroDivisionError"):
        samestep.check(script("1 / 0"), runs=2)
    with pytest.raises(ProgramError, match=r"SyntaxError"):
        samestep.check(script("this is no Python"), runs=2)
    with pytest.raises(ProgramError, match="reads standard input"):
        samestep.check(script("print(input())"), runs=2)


def test_a_script_that_fails_now_and_then_differs_in_its_exit_status(script):
    text = "import os\nprint('begun')\nif os.path.exists('once'):\n    raise SystemExit(3)\nopen('once', 'w').close()\n"
    result = samestep.check(script(text), runs=2)
    assert result.first_difference.what == "exit status"
    assert [cause.source for cause in result.causes] == ["files left by the previous run"]


def test_standard_input_is_the_same_for_every_run(script):
    assert samestep.check(script("print(int(input()) + 1)"), runs=2, stdin=b"41\n").metric.values == (42.0, 42.0)


ENDINGS = {"sys.exit": "import sys; sys.exit(0)", "os._exit": "import os, sys; sys.stdout.flush(); os._exit(0)"}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_however_a_script_ends_its_sources_are_known(ending, script):
    text = f"import os, random\nprint(random.random())\nos.chdir('/')\n{ending}\n"
    assert told(samestep.check(script(text), runs=2)) == [("random", "train.py:2")]


def test_a_number_of_a_process_that_is_played_kills_nobody_else(script):
    text = "import os, random\nprint(random.random(), flush=True)\nos.kill(os.getpid(), 9)\n"
    result = samestep.check(script(text), runs=2)
    assert (told(result), result.exit_statuses) == ([("random", "train.py:2")], (137, 137))
    assert proved(result)


def test_a_script_that_puts_its_own_functions_in_the_place_of_the_watched_ones_runs_as_ever(script):
    text = """
        import builtins, os, random
        plain, builtins.open = builtins.open, lambda *a, **k: plain(*a, **k)
        random.random = lambda: 0.25
        os.listdir = lambda *a: ["b", "a"]
        print(random.random(), os.listdir("."), open(__file__).read()[:6])
    """
    assert samestep.check(script(text), runs=2).verdict == "reproducible"


def test_a_budget_is_kept_with_the_best_answer_so_far(script):
    begun = time.monotonic()
    result = samestep.check(script("import time\nprint(1)\ntime.sleep(60)"), budget=3)
    assert time.monotonic() - begun < 10
    assert result.verdict == "undecided"
    assert "0 of 3 runs" in result.note


def test_an_interrupted_check_leaves_no_process(script, tmp_path):
    path = script("import os, time\nopen('number', 'w').write(str(os.getpid()))\ntime.sleep(100)")
    process = subprocess.Popen([sys.executable, "-m", "samestep", "check", path], stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    number = Path("number")
    while not (number.exists() and number.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=30)[1].decode()
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


def test_bad_input_is_refused_with_what_mends_it(script):
    with pytest.raises(UsageError, match=r"does not exist. Name the script: samestep check train.py"):
        samestep.check("missing.py")
    with pytest.raises(UsageError, match="one run has nothing to be compared with"):
        samestep.check(script("print(1)"), runs=1)
    with pytest.raises(UsageError, match="above 0"):
        samestep.check(script("print(1)"), budget=0)
    with pytest.raises(UsageError, match="cannot start the interpreter"):
        samestep.check(script("print(1)"), python="/no/such/python")


# functions, the command line, the result


def draws():
    return {"loss": random.random()}


def draws_nothing():
    return [1.5, (2, "three")]


def test_a_function_is_checked_as_a_script_is():
    result = samestep.check(draws, runs=2)
    assert [(cause.source, os.path.basename(cause.site).split(":")[0]) for cause in result.causes] == [
        ("random", "test_check.py")
    ]
    assert samestep.check(draws_nothing, runs=2).verdict == "reproducible"


def test_a_function_that_another_process_cannot_find_is_refused():
    with pytest.raises(UsageError, match="defined at the top of a file"):
        samestep.check(lambda: 1)


def test_the_command_line_gives_the_verdict_the_cause_and_the_json(script, samestep, tmp_path):
    path = script(SOURCES["numpy.random.default_rng"])
    done = samestep("check", "--runs", 2, "--json", tmp_path / "result.json", path, "--its", "own")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("NOT REPRODUCIBLE")
    assert "Cause: numpy.random.default_rng at train.py:2, 100% of the variation" in done.stdout
    text = (tmp_path / "result.json").read_text()
    result = CheckResult.from_json(text)
    assert result.to_json() == text.strip()
    assert result.arguments == ("--its", "own")
    contract = json.loads(text)
    assert {"schema", "verdict", "runs", "first_difference", "causes"} <= contract.keys()
    assert {"source", "site", "confirmed", "share", "fix"} <= contract["causes"][0].keys()


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match="expected a result with schema"):
        CheckResult.from_json('{"schema": "samestep/diff/1"}')


# parts


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("epoch 1 took 3.2 s, loss 0.5", "epoch 1 took 3.4 s, loss 0.5"),
        ("10/10 ━━━━━ 1s 12ms/step - loss: 0.5", "10/10 ━━━━━ 2s 9ms/step - loss: 0.5"),
        ("2026-01-02 03:04:05,678 loss 0.5", "2027-11-12 13:14:15,999 loss 0.5"),
        ("run 6f1c1f5e-0d55-4a43-9a1c-0a3f6b2b7c11 begins", "run 11111111-0d55-4a43-9a1c-0a3f6b2b7c22 begins"),
        ("<object at 0x7f0a1c2d3e4f>", "<object at 0x7f9999999999>"),
        ("elapsed: 12.25", "elapsed: 13.5"),
        ("saved /tmp/tmpab12/model", "saved /tmp/tmpzz99/model"),
        ("{'fit_time': array([0.01, 0.02]), 'score': 1}", "{'fit_time': array([0.3, 0.4]), 'score': 1}"),
        ('"elapsed": 0.147,', '"elapsed": 0.2,'),
        ("run_20260102_030405 begins", "run_20270102_030406 begins"),
        ("29/11/2026 19:03:12 done", "30/11/2026 19:03:15 done"),
        ("in runs/2026-11-29_19-19-07-282859", "in runs/2026-11-30_19-19-08-893652"),
        ("took 2 min 3 s", "took 4 min 5 s"),
        ('"run": "7a13c61a63fe4217"', '"run": "1113c61a63fe4217"'),
        ("3/10 ━━━ 0s\r10/10 ━━━━ 1s loss 1", "10/10 ━━━━ 1s loss 1"),
    ],
)
def test_times_and_names_that_are_new_in_every_run_do_not_count(left, right):
    assert printed.lines(left) == printed.lines(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("loss 0.5", "loss 0.50000001"),
        ("accuracy: 91 %", "accuracy: 92 %"),
        ("step 3", "step 4"),
        ("loss nan", "loss 1"),
        ("[1, 2]", "[2, 1]"),
        ("epoch 1/3 loss 0.1", "epoch 1/3 loss 0.2"),
        ("score -0.0", "score 0.0"),
        ("mean 0.5, min 0.1, max 0.9", "mean 0.6, min 0.1, max 0.9"),
        ("mean 0.5 min 0.1", "mean 0.6 min 0.1"),
        ("loss now 0.5", "loss now 0.6"),
        ("next token: 'fox'", "next token: 'cat'"),
        ("best id: 17", "best id: 18"),
        ("survival_time: 0.53", "survival_time: 0.54"),
    ],
)
def test_results_count(left, right):
    assert printed.lines(left) != printed.lines(right)


def test_a_number_that_is_masked_in_one_line_alone_is_no_time():
    assert not printed.only_times(printed.MASK, "5", {}, {})


def test_a_number_is_a_time_only_if_it_is_the_one_between_the_same_readings_of_a_clock():
    left, right = {"time.time": [1.0, 1.1234, 2.0]}, {"time.time": [5.0, 5.2345, 7.0]}
    assert printed.only_times("dt 0.1234 loss 1", "dt 0.2345 loss 1", left, right)
    assert printed.only_times("dt 123.4 x", "dt 234.5 x", left, right)
    assert not printed.only_times("dt 0.1234 loss 1", "dt 0.2345 loss 2", left, right)
    assert not printed.only_times("dt 0.1234", "dt 0.2346", left, right)
    assert not printed.only_times("dt 0.1234", "dt 2.0000", left, right)
    assert not printed.only_times("wins 1", "wins 2", left, right)  # too short to be known for a time


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_two_losses_are_the_same_line_only_if_they_are_equal(left, right):
    assert (printed.lines(f"loss {left!r}") == printed.lines(f"loss {right!r}")) == (left == right)


@pytest.mark.parametrize(
    ("source", "line", "mended"),
    [
        ("numpy.random.default_rng", "rng = default_rng()", "rng = default_rng(0)"),
        ("numpy.random.RandomState", "a = f(np.random.RandomState(None), 1)", "a = f(np.random.RandomState(0), 1)"),
        ("directory listing", "for n in os.listdir('é'): pass", "for n in sorted(os.listdir('é')): pass"),
        ("directory listing", "x = [p for p in Path('.').glob('*')]", "x = [p for p in sorted(Path('.').glob('*'))]"),
        ("numpy.empty", "x = np.empty((3, 2))", "x = np.zeros((3, 2))"),
        ("completion order", "for f in as_completed(fs): pass", "for f in fs: pass"),
        ("completion order", "for f in pool.imap_unordered(g, xs): pass", "for f in pool.imap(g, xs): pass"),
        ("tf.data parallelism", "d = d.map(f, 2, deterministic=False)", "d = d.map(f, 2, deterministic=True)"),
        ("time.time", "seed = int(time.time())", "seed = int(7)"),
        ("numpy.random.default_rng", "r = default_rng(a.seed)", "r = default_rng(0 if a.seed is None else a.seed)"),
        ("random.seed", "random.seed(n)", "random.seed(0 if n is None else n)"),
        ("numpy.random.default_rng", "r = default_rng(\n    None,\n)", "r = default_rng(0\n\n)"),
        ("os.getpid", "x = (os.getpid(\n))", "x = ((7\n))"),
        ("numpy.random.seed", "np.random.seed(now)", "np.random.seed(0)"),
        ("torch.Generator.seed", "s = g.seed()", "s = g.manual_seed(0).initial_seed()"),
        ("tensorflow.random.Generator", "g = G.from_non_deterministic_state()", "g = G.from_seed(0)"),
    ],
)
def test_a_line_is_mended(source, line, mended, tmp_path):
    path = tmp_path / "train.py"
    path.write_text(f"import x\n{line}\n")
    texts = {}
    mend = mends.mend(Suspect(source, "train.py:2", seed=source == "numpy.random.seed"), [7], str(path), texts)
    assert mend.applies
    assert list(texts.values()) == [f"import x\n{mended}\n"]


def test_an_edit_finds_what_was_imported_by_another_name(tmp_path):
    path = tmp_path / "train.py"
    path.write_text("from numpy.random import default_rng as rng\ng = rng()\n")
    texts = {}
    mends.mend(Suspect("numpy.random.default_rng", "train.py:2"), [], str(path), texts)
    assert next(iter(texts.values())).endswith("g = rng(0)\n")


def test_a_seed_is_put_behind_what_has_to_stand_first(tmp_path):
    path = tmp_path / "train.py"
    path.write_text('"""Docstring."""\nfrom __future__ import annotations\nimport os\n')
    texts = {}
    mends.mend(Suspect("random", "train.py:3"), [], str(path), texts)
    lines = next(iter(texts.values())).splitlines()
    assert lines[2:] == ["import random; random.seed(0); import os"]  # all lines keep their numbers


def test_a_source_is_blamed_where_it_alone_makes_the_difference_and_not_where_chance_took_it_away():
    left, right = _trial("a", "1"), _trial("b", "2")
    true = Laboratory(lambda setup, restore: _trial("a" if setup.hash_seed == "1" else "b"), _differ, rate=0.5)
    assert prove(true, left, right, [[Suspect("hash seed")]], []).causes == [Suspect("hash seed")]
    outcomes = map(_trial, itertools.chain("aa", itertools.repeat("b")))  # twice as the left one, by chance
    chance = Laboratory(lambda setup, restore: next(outcomes), _differ, rate=0.5)
    assert prove(chance, left, right, [[Suspect("hash seed")]], []).causes == []


def _trial(printed_text, hash_seed=None):
    run = SimpleNamespace(blocks=[], manifest={"environment": {}})
    return SimpleNamespace(setup=Setup(hash_seed), values={}, printed=printed_text, run=run, exit_status=0)


def _differ(left, right):
    return Found((2, 0), "printed line", "1", None, "", "") if left.printed != right.printed else None


def test_two_traces_part_after_the_last_line_that_is_the_same():
    same = [("a.py:1", "x"), ("a.py:2", "x")]
    assert parting([*same, ("a.py:3", "y")], [*same, ("a.py:3", "z")]) == "a.py:2"
    assert parting([*same, ("a.py:3", "y")], [*same, ("a.py:9", "y")]) == "a.py:2"
    assert parting(same, same) == ""
    assert parting(same, [*same, ("a.py:3", "y")]) == "a.py:2"
