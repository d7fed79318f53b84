"""Soak: inflict real faults on real training runs, and count what is lost.

``make soak`` makes 200 kills, ``make test`` 10 (tests/test_soak.py), and 20 more of the workers of
a Dask cluster (``make test``: 3, in tests/test_cluster.py). The faults are SIGKILL, writes
that the kernel refuses, a full disk, permissions, truncated files, a clock that runs backwards, a
second process, a folder that another one replaces, and a forgotten --resume. After each one the run
is resumed. All that it leaves and prints, seconds aside, must equal what a run without a fault
leaves and prints, byte for byte.

Most runs are forks of this process, which compiles the functions once, with the C linker, as that
starts no threads. Of the kills, a third hits runs with momentum and
a shuffled order, and a third runs that read their data in chunks. One kill in 25
hits the script instead, in its own process and with the default linker. Prints a table; exits with
1 if anything was lost.
"""

import argparse
import concurrent.futures
import contextlib
import functools
import io
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, "scripts")]

import tqdm  # noqa: E402
import train_logreg  # noqa: E402

import dlt  # noqa: E402
from dlt.engine import set_floatX, set_linker  # noqa: E402
from dlt.errors import DltError  # noqa: E402
from dlt.examples import Description, Examples  # noqa: E402
from dlt.files import writing  # noqa: E402
from dlt.progress import silent  # noqa: E402
from dlt.runs.checkpoint import read_checkpoint  # noqa: E402
from dlt.runs.history import read_history  # noqa: E402

# tqdm's lock is shared with forks: one that is killed while it holds it would stop them all.
tqdm.tqdm.set_lock(threading.RLock())
tqdm.tqdm.monitor_interval = 0  # no thread, which could hold it at a fork

N_EPOCHS = 24
SNAPSHOTS = {"snapshot_every": 3, "keep": 4}
SCRIPT = os.path.join(ROOT, "scripts", "train_logreg.py")
SCRIPT_OPTIONS = ["--dataset", "digits", "--n-epochs", "60", "--snapshot-every", "3"]
# Of the kinds of runs. The third reads its data in chunks.
ORDERS = {
    "plain": None,
    "momentum": dlt.Shuffled(seed=1),
    "chunks": dlt.Shuffled(seed=2, block=50),
}
PATIENT = 60  # seconds after which a process that should have ended counts as lost


class Loss(Exception):
    """A promise that was not kept."""


class Work:
    """A small training problem, compiled once, to be trained again and again in forks."""

    def __init__(self, base):
        self.base = base
        set_floatX("float32")
        set_linker("c")
        sets = [(x[:300], y[:300]) for x, y in dlt.load_data("digits")]
        self.valid_y = sets[1][1]
        train_set, valid_set, self.test_set = dlt.shared_datasets(sets)
        x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
        model = dlt.LogisticRegression(x, 784, 10)
        loss = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
        pixels = Description(256, 28, 28, None, None)
        dlt.save_data(os.path.join(base, "data"), [Examples(x, y, pixels) for x, y in sets])
        in_chunks = dlt.open_data(os.path.join(base, "data"), max_memory=6 * 3 * 20 * 784)
        momentum = momentum_updates(loss, model.params)
        self.trainers = {
            "plain": dlt.Trainer(model, y, loss, train_set, valid_set, 20),
            "momentum": dlt.Trainer(model, y, loss, train_set, valid_set, 20, momentum),
            "chunks": dlt.Trainer(model, y, loss, *in_chunks[:2], 20),
        }
        # A first run compiles everything, and loads what cannot be loaded without rights.
        for kind in ORDERS:
            self.train(os.path.join(base, "first-" + kind), kind, n_epochs=1)

    def train(self, folder, kind="plain", n_epochs=N_EPOCHS, log=silent, **options):
        """Train in this process, and return what the script would print at the end."""
        trainer, place = self.trainers[kind], dlt.RunFolder(folder, **SNAPSHOTS)
        result = trainer.run(n_epochs, order=ORDERS[kind], folder=place, log=log, **options)
        if result.stopped_by != "request":
            result = result._replace(test=trainer.score(self.test_set, result.best_params))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            train_logreg.report(result, self.valid_y, "FOLDER")
        return re.sub(r"[0-9.]+ epochs/sec", "", printed.getvalue()).splitlines()

    def fork(self, folder, before=lambda: None, **options):
        """Train in a fork, and return its process id; `output` reads what it says."""
        pid = os.fork()
        if pid:
            return pid
        code = 9
        try:
            lines = []
            file = open(self.output_of(folder), "w")  # before it gives up any right
            before()
            try:
                lines += ["END"] + self.train(folder, log=lines.append, **options)
                code = 0
            except DltError as error:
                lines += ["ERROR", str(error)]
                code = 2
            except Exception:
                lines += traceback.format_exc().splitlines()
            with file:
                file.write("\n".join(lines))
        finally:
            os._exit(code)

    def output(self, folder):
        with open(self.output_of(folder)) as file:
            return file.read().split("\n")

    def output_of(self, folder):
        return os.path.join(self.base, "output-of-" + os.path.basename(folder))


def momentum_updates(loss, params):
    """Build the updates of SGD with momentum; its velocities are state of their own."""
    updates = []
    for param, gradient in zip(params, dlt.T.grad(loss, params)):
        velocity = dlt.theano.shared(0 * param.get_value(), name="velocity_of_" + param.name)
        after = 0.9 * velocity - 0.02 * gradient
        updates += [(velocity, after), (param, param + after)]
    return updates


def ended(pid):
    """Wait for a process, and return its exit code, negative for a signal."""
    deadline = time.monotonic() + PATIENT
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise Loss("a run that did not end")


def outcome(folder):
    """Read all that a run leaves, without the seconds."""
    path = pathlib.Path(folder)
    kept = [path / "best_params.npz", path / "settings.json"]
    kept += (path / "snapshots").iterdir()
    found = {file.name: file.read_bytes() for file in kept}
    found["history.csv"] = [row._replace(seconds=0) for row in read_history(path / "history.csv")]
    checkpoint = read_checkpoint(path / "checkpoint.npz")
    state = checkpoint.state
    for group in ("params", "update_state"):
        values = getattr(state, group)
        found[group] = {name: value.tobytes() for name, value in values.items()}
    found["others"] = (state.iteration, state.best_score, checkpoint.ended, checkpoint.program)
    return found


def compare(folder, expected):
    """Raise `Loss` unless a folder holds what it should."""
    found = outcome(folder)
    differ = [n for n in sorted(set(found) | set(expected)) if found.get(n) != expected.get(n)]
    if differ:
        raise Loss(f"another outcome: {', '.join(differ)}")
    if temporary_files(folder):
        raise Loss("a temporary file was left behind")


def temporary_files(folder):
    found = []
    for path in (folder, os.path.join(folder, "snapshots")):
        with contextlib.suppress(FileNotFoundError):
            found += [name for name in os.listdir(path) if name.endswith(".tmp")]
    return found


class Soak:
    """All faults, one method each, which returns how often the fault came and a few words on it."""

    def __init__(self, kills, seed, base):
        self.kills, self.thorough = kills, kills >= 100
        self.random = random.Random(seed)
        self.base, self.count = base, 0
        self.work = Work(base)
        started = time.monotonic()
        self.whole = {}  # what a run of each kind prints and leaves without any fault
        for kind in ORDERS:
            folder = self.folder()
            self.whole[kind] = self.end_of_run(folder, kind=kind), outcome(folder)
        self.duration = (time.monotonic() - started) / len(ORDERS)

    def folder(self):
        self.count += 1
        return os.path.join(self.base, f"run{self.count}")

    def end_of_run(self, folder, **options):
        """Train in a fork to the end, and return what it printed there."""
        code = ended(self.work.fork(folder, **options))
        lines = self.work.output(folder)
        if code:
            raise Loss(f"ended with {code}: {lines[-1:]}")
        return lines[lines.index("END") + 1 :]

    def resume(self, folder, kind="plain", **options):
        """Resume, compare all that it leaves and prints, and return all that it said."""
        printed = self.end_of_run(folder, kind=kind, resume="auto", **options)
        expected, left = self.whole[kind]
        if printed != expected:
            raise Loss(f"another result was printed: {printed}")
        compare(folder, left)
        shutil.rmtree(folder)
        return "\n".join(self.work.output(folder))

    def kill_forks(self):
        """SIGKILL at random moments; every second one waits for a write to be under way."""
        killed = writing = again = 0
        kinds = dict.fromkeys(ORDERS, 0)
        n = self.kills - self.kills // 25
        while killed < n:
            folder, resume, kind = self.folder(), False, min(kinds, key=kinds.get)
            in_a_row = self.random.choice([1, 1, 1, 2, 3])  # resumed runs are killed too
            for _ in range(min(in_a_row, n - killed)):
                pid = self.work.fork(folder, kind=kind, resume=resume)
                self.wait_for_checkpoint(folder)
                time.sleep(self.random.uniform(0, self.duration))
                deadline = time.monotonic() + 0.2 * (killed % 2)
                while not temporary_files(folder) and time.monotonic() < deadline:
                    pass
                os.kill(pid, signal.SIGKILL)
                if ended(pid) != -signal.SIGKILL:
                    break  # it was faster
                killed += 1
                again += resume
                kinds[kind] += 1
                writing += bool(temporary_files(folder))
                resume = True
            self.resume(folder, kind)
        words = f"{writing} with a write under way, {again} in resumed runs, "
        words += f"{kinds['momentum']} with momentum and shuffled, {kinds['chunks']} in chunks"
        return killed, words

    @staticmethod
    def wait_for_checkpoint(folder):
        deadline = time.monotonic() + PATIENT
        while not os.path.exists(os.path.join(folder, "checkpoint.npz")):
            if time.monotonic() > deadline:
                raise Loss("a run that saved nothing")
            time.sleep(0.001)

    def kill_scripts(self):
        """SIGKILL of scripts/train_logreg.py, in processes of their own."""
        n = self.kills // 25
        killed = 0
        while killed < n:
            killed += self.kill_script(self.random.randint(1, 50), self.random.uniform(0, 0.05))
        return killed, "default linker, own processes" if n else "not at so few kills"

    def kill_script(self, epoch, seconds, shim=None):
        """Kill the script so many seconds after an epoch, and resume it; False if it was faster."""
        printed, expected = self.whole_script
        folder = self.folder()
        process = start_script("--output-dir", folder, shim=shim)
        for line in process.stdout:
            if line.startswith(f"epoch {epoch},"):
                break
        time.sleep(seconds)
        process.kill()
        process.communicate(timeout=PATIENT)
        if process.returncode != -signal.SIGKILL:
            return False
        process = start_script("--output-dir", folder, "--resume", shim=shim)
        if script_result(process, folder) != printed:
            raise Loss("another result was printed")
        compare(folder, expected)
        shutil.rmtree(folder)
        return True

    @functools.cached_property
    def whole_script(self):
        """What the script prints and leaves without any fault."""
        folder = self.folder()
        return script_result(start_script("--output-dir", folder), folder), outcome(folder)

    def refuse_writes(self):
        """Let the kernel refuse one write after the other, each at some byte of the file."""
        n, step = 0, 1 if self.thorough else 8
        while True:
            folder = self.folder()
            refuse = functools.partial(limit_write, n, self.random.random())
            code = ended(self.work.fork(folder, before=refuse))
            if code == 0:  # fewer writes than that: all have been refused once
                compare(folder, self.whole["plain"][1])
                which = "each" if self.thorough else "every eighth"
                return n // step, which + " write of a run, at a random byte"
            message = "cannot be written (File too large); allow larger files"
            self.check_refused(folder, code, message)
            if "using the checkpoint before" in self.resume(folder):
                raise Loss("the newest checkpoint was not good")
            n += step

    def check_error(self, folder, code, message):
        """Check that a run ended with one line."""
        lines = self.work.output(folder)
        if code != 2 or lines[-2:-1] != ["ERROR"] or message not in lines[-1]:
            raise Loss(f"ended with {code}: {lines[-2:]}")

    def check_refused(self, folder, code, message):
        """Check that a run ended with one line, and left nothing damaged."""
        self.check_error(folder, code, message)
        names = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if names - {".lock", "snapshots"}:
            read_checkpoint(os.path.join(folder, "checkpoint.npz"))
        if temporary_files(folder):
            raise Loss("a temporary file was left behind")

    def fill_disk(self):
        """Train on ever larger disks in memory, until one is large enough."""
        disk, n, kilobytes = os.path.join(self.base, "disk"), 0, 4
        os.mkdir(disk)
        while True:
            size = f"size={kilobytes}k"
            if run_quietly("mount", "-t", "tmpfs", "-o", size, "dlt", disk):
                return 0, "skipped: only root may mount a small disk"
            try:
                folder = os.path.join(disk, "run")
                code = ended(self.work.fork(folder))
                if code == 0:
                    compare(folder, self.whole["plain"][1])
                    return n, f"disks of 4 to {kilobytes - 1} KB"
                self.check_refused(folder, code, "No space left on device); free some space")
                if run_quietly("mount", "-o", "remount,size=8m", disk):
                    raise Loss("the disk could not be enlarged")
                self.resume(folder)
                n, kilobytes = n + 1, kilobytes + (4 if self.thorough else 48)
            finally:
                run_quietly("umount", disk)

    def forbid_writing(self):
        """Take the permission to write away, before a run and in the middle of it."""
        free = os.path.join(self.base, "free")
        os.mkdir(free)
        os.chmod(free, 0o777)
        epochs = [0, 1, 2, 9, 20]
        for epoch in epochs:
            folder = os.path.join(free, f"run{epoch}")
            code = ended(self.work.fork(folder, **forbidding(epoch, folder)))
            self.check_refused(folder, code, "(Permission denied)")
            os.chmod(folder, 0o777)
            self.resume(folder, before=become_nobody)
        return len(epochs), "before the run and at epochs 1, 2, 9, 20"

    def truncate(self):
        """Cut the newest checkpoint at many lengths, and spoil both."""
        stopped = self.folder()
        answers = iter([False] * 12)
        lines = self.end_of_run(stopped, should_stop=lambda: next(answers, True))
        if "stopped by request" not in lines[-1]:
            raise Loss(f"a run that did not stop: {lines[-1:]}")
        size = os.path.getsize(os.path.join(stopped, "checkpoint.npz"))
        lengths = [0, 1, size - 1] + [size * k // 16 for k in range(1, 16)]
        lengths = lengths if self.thorough else lengths[:6]
        for length in lengths:
            folder = self.folder()
            shutil.copytree(stopped, folder)
            os.truncate(os.path.join(folder, "checkpoint.npz"), length)
            if "using the checkpoint before it, of " not in self.resume(folder):
                raise Loss("no message about a truncated checkpoint")
        for name in ("checkpoint.npz", "checkpoint.previous.npz"):
            os.truncate(os.path.join(stopped, name), 100)
        code = ended(self.work.fork(stopped, resume=True))
        self.check_error(stopped, code, "found a damaged zip archive")
        words = "the one before is used, with a message; both truncated: refused"
        return len(lengths), words

    def turn_clock_back(self):
        """Let the clock run backwards, fifty times as fast, under a run and its resumption."""
        shim, source = os.path.join(self.base, "shim.so"), os.path.join(self.base, "shim.c")
        with open(source, "w") as file:
            file.write(CLOCK)
        compiler = next(filter(shutil.which, ["cc", "gcc", "clang"]), None)
        if compiler is None or run_quietly(compiler, "-shared", "-fPIC", "-o", shim, source):
            return 0, "skipped: no C compiler"
        return int(self.kill_script(20, 0, shim)), "a killed run and its resumption"

    def two_writers(self):
        """Start a second run beside a running one, and a third one after that was killed."""
        n = 10 if self.thorough else 3
        for _ in range(n):
            folder = self.folder()
            first = self.work.fork(folder)
            self.wait_for_checkpoint(folder)
            os.kill(first, signal.SIGSTOP)  # at work, however fast it is
            try:
                code = ended(self.work.fork(folder))
                self.check_error(folder, code, "found another run at work in this folder")
            finally:
                os.kill(first, self.random.choice([signal.SIGKILL, signal.SIGCONT]))
                os.kill(first, signal.SIGCONT)
            if ended(first) not in (0, -signal.SIGKILL):
                raise Loss("the first run suffered")
            self.resume(folder)
        return n, "the second is refused, the first ends as ever"

    def replace_folder(self):
        """Move a run's folder away under it, and perhaps let another run's take its name."""
        epochs = [1, 2, 9, 12] if self.thorough else [9]  # later snapshots are all made beside
        changes = [(epoch, kind) for epoch in epochs for kind in ORDERS]
        for i, (epoch, kind) in enumerate(changes):
            folder, other = self.folder(), None
            if i % 2 == 0:
                other = self.folder()
                self.end_of_run(other, kind=kind)
            pid = self.work.fork(folder, kind=kind, on_validation=moving(epoch, folder, other))
            message = f"moved or replaced; this run is saved in {folder}-2; "
            self.check_error(folder, ended(pid), message)
            self.resume(folder + "-2", kind)
            if other:
                compare(folder, self.whole[kind][1])
            elif os.path.exists(folder):
                raise Loss("the folder was made again")
            self.resume(folder + "-moved", kind)
        return len(changes), f"at epochs {', '.join(map(str, epochs))}; nothing written there"

    def forget_to_resume(self):
        """Stop a run, and begin anew in its folder, twice; go on with both in folders of theirs."""
        n = 4 if self.thorough else 1
        for i in range(n):
            folder = self.folder()
            for n_questions in (12 - i, 4 + i):
                answers = iter([False] * n_questions)
                self.end_of_run(folder, should_stop=lambda answers=answers: next(answers, True))
            self.end_of_run(folder)
            compare(folder, self.whole["plain"][1])
            for number in (1, 2):
                again = self.folder()
                os.mkdir(again)
                os.rename(
                    os.path.join(folder, f"checkpoint.unfinished-{number}.npz"),
                    os.path.join(again, "checkpoint.npz"),
                )
                if "going on after " not in self.resume(again):
                    raise Loss("a run that began anew")
        return 2 * n, "each goes on from the checkpoint that was moved aside"

    def kill_workers(self):
        """SIGKILL of processes of a Dask cluster, while they train what `dlt.select` compares."""
        if not self.thorough:
            return 0, "not at so few kills"
        import clusters

        from dlt.selection.cluster import executor

        base, n = pathlib.Path(self.base, "cluster"), 20
        base.mkdir()
        candidates = dlt.grid(learning_rate=[0.03, 0.1, 0.3], batch_size=[20], seed=range(8))
        search = functools.partial(dlt.select, "digits", candidates, n_epochs=N_EPOCHS)
        undisturbed = search(base / "serial")
        environ = {name: v for name, v in os.environ.items() if not name.endswith("_FLAGS")}
        with contextlib.ExitStack() as stack:
            cluster = stack.enter_context(clusters.Cluster(base, {**environ, "PYTHONPATH": ROOT}))
            for _ in range(2):
                cluster.add_worker()
            workers = stack.enter_context(executor(cluster.address))
            thread = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
            future = thread.submit(search, base / "killed", executor=workers)
            before = [
                clusters.kill_one(cluster, base / "killed", self.random, future.done)
                for _ in range(n)
            ]
            killed = future.result()
        if not all(clusters.goes_on(base / "killed", histories) for histories in before):
            raise Loss("a candidate was trained again from the start")
        if clusters.found(killed) != clusters.found(undisturbed):
            raise Loss("another result")
        return n, f"{len(candidates)} candidates, each goes on from its checkpoint"

    def rows(self):
        """Inflict all faults; yield (name, times, words, whether it was lost, seconds)."""
        faults = {
            "SIGKILL": self.kill_forks,
            "SIGKILL of the script": self.kill_scripts,
            "write refused (EFBIG)": self.refuse_writes,
            "disk full (ENOSPC)": self.fill_disk,
            "read-only folder": self.forbid_writing,
            "truncated checkpoint": self.truncate,
            "clock going backwards": self.turn_clock_back,
            "two writers": self.two_writers,
            "folder moved or replaced": self.replace_folder,
            "--resume forgotten twice": self.forget_to_resume,
            "SIGKILL of workers": self.kill_workers,  # the last one, as it starts threads
        }
        for name, fault in faults.items():
            started, lost = time.monotonic(), False
            try:
                n, words = fault()
            except (Loss, AssertionError, DltError, OSError) as error:
                n, words, lost = 0, str(error) or repr(error), True
            yield name, n, words, lost, time.monotonic() - started


CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static long base;
int clock_gettime(clockid_t clock, struct timespec *t) {
    int code = syscall(SYS_clock_gettime, clock, t);
    if (code || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return code;
    if (!base) base = t->tv_sec + 1;
    long long passed = (t->tv_sec - base) * 1000000000LL + t->tv_nsec;
    long long now = base * 1000000000LL - 50 * passed;
    t->tv_sec = now / 1000000000LL; t->tv_nsec = now % 1000000000LL;
    return 0;
}
"""

# run_path: so that the process can prove that its clock runs as it should, or backwards
RUN_SCRIPT = """
import runpy, sys, time
before = time.time()
time.sleep(0.01)
assert (time.time() < before) == {backwards}, "the clock does not run as it should"
sys.argv[:] = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def start_script(*arguments, shim=None):
    """Start scripts/train_logreg.py on the digits."""
    environ = {name: v for name, v in os.environ.items() if not name.endswith("_FLAGS")}
    if shim:
        environ["LD_PRELOAD"] = shim
    code = RUN_SCRIPT.format(backwards=shim is not None)
    return subprocess.Popen(
        [sys.executable, "-c", code, SCRIPT, *SCRIPT_OPTIONS, *arguments],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def script_result(process, folder):
    """Return what the script prints at the end, without the folder's name and the seconds."""
    out, err = process.communicate(timeout=PATIENT)
    if process.returncode:
        raise Loss(f"the script failed: {err}")
    lines = out.replace(folder, "FOLDER").splitlines()[-3:]
    return [re.sub(r"[0-9.]+ epochs/sec", "", line) for line in lines]


def run_quietly(*command):
    return subprocess.run(command, capture_output=True).returncode


def limit_write(n, fraction):
    """Let the kernel refuse this process's nth write of a file after a part of its bytes."""
    real, count = writing._write_and_rename, [0]

    def limited(target, write, *how):
        count[0] += 1
        if count[0] != n + 1:
            return real(target, write, *how)
        whole = io.BytesIO()
        write(whole)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(fraction * len(whole.getvalue())), hard))
        try:
            return real(target, write, *how)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    writing._write_and_rename = limited


def become_nobody():
    """Leave root's rights, which no permission stops."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def forbidding(epoch, folder):
    """Return the options of a fork, to make its folder read-only once an epoch is validated."""

    def before():
        become_nobody()
        if epoch == 0:
            os.mkdir(folder)
            os.chmod(folder, 0o555)

    def on_validation(row):
        if row.epoch == epoch:
            os.chmod(folder, 0o555)

    return {"before": before, "on_validation": on_validation}


def moving(epoch, folder, other):
    """Return what moves a folder away once an epoch is validated, and puts another there."""

    def on_validation(row):
        if row.epoch == epoch:
            os.rename(folder, folder + "-moved")
            if other:
                os.rename(other, folder)

    return on_validation


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=23455, metavar="N")
    args = parser.parse_args(argv)
    base = tempfile.mkdtemp(prefix="dlt-soak-")
    os.chmod(base, 0o755)  # a run without root's rights has to reach its folder
    n_lost = 0
    try:
        print("| fault | times | resumed to the same end | lost | seconds | |", flush=True)
        print("|---|--:|--:|--:|--:|---|", flush=True)
        for name, n, words, lost, seconds in Soak(args.kills, args.seed, base).rows():
            n_lost += lost
            row = [name, n, n, int(lost), round(seconds), words]
            print(f"| {' | '.join(map(str, row))} |", flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{args.kills} kills, seed {args.seed}: {'LOST' if n_lost else 'nothing lost'}")
    return 1 if n_lost else 0


if __name__ == "__main__":
    sys.exit(main())
