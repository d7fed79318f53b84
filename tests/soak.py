"""Soak: do to real training runs what happens to training runs, and count what is lost.

``make soak`` runs it with 200 kills, ``make test`` with 20 (tests/test_soak.py). Every fault
is real: SIGKILL, writes that the kernel refuses, a full disk, permissions, truncated files, a
clock that runs backwards, a second process. After each one the run is resumed, and its
parameters, history (seconds aside), snapshots, checkpoint and printed result are compared, byte
for byte, with those of a run that nothing happened to.

Most runs here are forks of this process: it imports dlt and compiles the functions once, with
the C linker, which starts no threads. A fork calls `dlt.train` like any user, only the compiling
is done already. Of 25 kills one hits the script instead, as its own process and with the default
linker. Prints a table; exits with 1 if anything was lost.
"""

import argparse
import contextlib
import functools
import io
import os
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
from dlt import files, training  # noqa: E402
from dlt.checkpoint import read_checkpoint  # noqa: E402
from dlt.engine import set_floatX, set_linker  # noqa: E402
from dlt.errors import DltError  # noqa: E402
from dlt.history import read_history  # noqa: E402
from dlt.progress import Progress  # noqa: E402

# tqdm's lock is shared with forks: one that is killed while it holds it would stop them all.
tqdm.tqdm.set_lock(threading.RLock())
tqdm.tqdm.monitor_interval = 0  # no thread, which could hold it at a fork

N_EPOCHS = 24
SNAPSHOTS = {"snapshot_every": 3, "keep": 4}
SCRIPT = os.path.join(ROOT, "scripts", "train_logreg.py")
SCRIPT_OPTIONS = ["--dataset", "digits", "--n-epochs", "60", "--snapshot-every", "3"]
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
        self.sets = dlt.shared_datasets(sets)
        x, self.y = dlt.T.matrix("x"), dlt.T.ivector("y")
        self.model = dlt.LogisticRegression(x, 784, 10)
        p_y_given_x = self.model.p_y_given_x
        self.loss = dlt.negative_log_likelihood(p_y_given_x, self.y, reduction="mean")
        stretch = training.minibatch_stretch(
            self.loss, self.model.params, 0.13, x, self.y, self.sets[0], 20
        )
        counters = {
            id(data): training.error_counter(x, self.y, p_y_given_x, data, 20)
            for data in self.sets[1:]
        }
        # A first call compiles the insides of loops, and loads what a process without rights
        # could not.
        initial = dlt.get_values(self.model.params)
        stretch(0, 2)
        for count in counters.values():
            count()
        dlt.set_values(self.model.params, initial)
        with Progress(1, "minibatch"):
            pass
        # What is compiled already is not compiled again; everything else is as users have it.
        training.minibatch_stretch = lambda *args: stretch
        training.error_counter = lambda x, y, p, data, *args: counters[id(data)]

    def train(self, folder, n_epochs=N_EPOCHS, log=None, **options):
        """Train in this process, and give what the script would print at the end."""
        result = dlt.train(
            self.model, self.y, self.loss, self.sets, batch_size=20, n_epochs=n_epochs,
            output_dir=folder, log=log or (lambda line: None), **dict(SNAPSHOTS, **options),
        )  # fmt: skip
        lines = []
        train_logreg.report(result, "FOLDER", lines.append)
        return [re.sub(r"[0-9.]+ epochs/sec", "", line) for line in lines]

    def fork(self, folder, before=lambda: None, **options):
        """Train in a fork; give its process id. What it says is for `said` to read."""
        pid = os.fork()
        if pid:
            return pid
        code = 9
        try:
            lines = []
            said = open(self.said_in(folder), "w")  # opened before any right is given up
            before()
            try:
                lines += ["END"] + self.train(folder, log=lines.append, **options)
                code = 0
            except DltError as error:
                lines += ["ERROR", str(error)]
                code = 2
            except Exception:
                lines += traceback.format_exc().splitlines()
            with said:
                said.write("\n".join(lines))
        finally:
            os._exit(code)

    def run(self, folder, expected_code=0, **options):
        """Train in a fork to the end, and give the lines it said."""
        code = ended(self.fork(folder, **options))
        if code != expected_code:
            lines = self.said(folder)[-1:]
            raise Loss("ended with {}, not {}: {}".format(code, expected_code, lines))
        return self.said(folder)

    def said(self, folder):
        with open(self.said_in(folder)) as file:
            return file.read().split("\n")

    def said_in(self, folder):
        return os.path.join(self.base, "said-by-" + os.path.basename(folder))


def ended(pid):
    """Wait for a process; give its exit code, negative for a signal."""
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
    found = {}
    for name in ("best_params.npz", "settings.json"):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    rows = read_history(os.path.join(folder, "history.csv"))
    found["history.csv"] = [row._replace(seconds=0) for row in rows]
    state = read_checkpoint(os.path.join(folder, "checkpoint.npz"))
    found["parameters"] = {name: value.tobytes() for name, value in state.params.items()}
    found["counters"] = (state.iteration, state.patience, state.ended, state.best_iteration)
    snapshots = os.path.join(folder, "snapshots")
    for name in sorted(os.listdir(snapshots)):
        with open(os.path.join(snapshots, name), "rb") as file:
            found[name] = file.read()
    return found


def compare(folder, expected):
    """Raise `Loss` unless a folder holds what it should."""
    found = outcome(folder)
    differ = [n for n in sorted(set(found) | set(expected)) if found.get(n) != expected.get(n)]
    if differ:
        raise Loss("another outcome: {}".format(", ".join(differ)))
    if temporary_files(folder):
        raise Loss("a temporary file was left behind")


def temporary_files(folder):
    found = []
    for path in (folder, os.path.join(folder, "snapshots")):
        with contextlib.suppress(FileNotFoundError):
            found += [name for name in os.listdir(path) if name.endswith(".tmp")]
    return found


class Soak:
    """All faults, one method each; every one gives a row of the table."""

    def __init__(self, kills, seed, base):
        self.kills = kills
        self.random = random.Random(seed)
        self.base = base
        self.count = 0
        self.script_expected = None
        self.work = Work(base)
        self.reference = self.folder()
        started = time.monotonic()
        self.printed = self.after_end(self.work.run(self.reference))
        self.duration = time.monotonic() - started
        self.expected = outcome(self.reference)

    def folder(self):
        self.count += 1
        return os.path.join(self.base, "run{}".format(self.count))

    @staticmethod
    def after_end(lines):
        return lines[lines.index("END") + 1 :]

    def resume(self, folder, **options):
        """Resume, and compare all that is left and printed."""
        has_one = any(
            os.path.exists(os.path.join(folder, name))
            for name in ("checkpoint.npz", "checkpoint.previous.npz")
        )
        lines = self.work.run(folder, resume=has_one, **options)
        if self.after_end(lines) != self.printed:
            raise Loss("another result was printed: {}".format(self.after_end(lines)))
        compare(folder, self.expected)
        return lines

    def kill_forks(self):
        """SIGKILL at random moments; every second one waits for a write to be under way."""
        killed = writing = again = 0
        n = self.kills - self.n_script_kills
        while killed < n:
            folder, resume = self.folder(), False
            in_a_row = self.random.choice([1, 1, 1, 2, 3])  # resumed runs are killed too
            for _ in range(min(in_a_row, n - killed)):
                pid = self.work.fork(folder, resume=resume)
                self.wait_for_checkpoint(folder)
                time.sleep(self.random.uniform(0, self.duration))
                if killed % 2:
                    self.wait_for_write(folder)
                os.kill(pid, signal.SIGKILL)
                if ended(pid) != -signal.SIGKILL:
                    break  # it was faster
                killed += 1
                again += resume
                writing += bool(temporary_files(folder))
                resume = True
            self.resume(folder)
            shutil.rmtree(folder)
        text = "{} with a write under way, {} in resumed runs".format(writing, again)
        return "SIGKILL", killed, text

    @staticmethod
    def wait_for_checkpoint(folder):
        deadline = time.monotonic() + PATIENT
        while not os.path.exists(os.path.join(folder, "checkpoint.npz")):
            if time.monotonic() > deadline:
                raise Loss("a run that saved nothing")
            time.sleep(0.001)

    @staticmethod
    def wait_for_write(folder):
        deadline = time.monotonic() + 0.2
        while not temporary_files(folder) and time.monotonic() < deadline:
            pass

    def kill_scripts(self):
        """SIGKILL of scripts/train_logreg.py, in processes of their own."""
        if not self.n_script_kills:
            return "SIGKILL of the script", 0, "not at so few kills"
        printed, expected = self.whole_script()
        killed = 0
        while killed < self.n_script_kills:
            folder = self.folder()
            process = start_script("--output-dir", folder)
            last = self.random.randint(1, 50)
            for line in process.stdout:
                if line.startswith("epoch {},".format(last)):
                    break
            time.sleep(self.random.uniform(0, 0.05))
            process.kill()
            process.communicate(timeout=PATIENT)
            if process.returncode == -signal.SIGKILL:
                killed += 1
                process = start_script("--output-dir", folder, "--resume")
                if self.script_result(process, folder) != printed:
                    raise Loss("another result was printed")
                compare(folder, expected)
            shutil.rmtree(folder)
        return "SIGKILL of the script", killed, "default linker, own processes"

    def whole_script(self):
        """Run the script without any fault, once; give what it printed and left."""
        if self.script_expected is None:
            folder = self.folder()
            printed = self.script_result(start_script("--output-dir", folder), folder)
            self.script_expected = printed, outcome(folder)
        return self.script_expected

    def refuse_writes(self):
        """Let the kernel refuse one write after the other, each at some byte of the file."""
        n, step = 0, 1 if self.thorough else 8
        while True:
            folder = self.folder()
            refuse = functools.partial(limit_write, n, self.random.random())
            code = ended(self.work.fork(folder, before=refuse))
            if code == 0:  # fewer writes than that: all have been refused once
                compare(folder, self.expected)
                words = "{} write of a run, at a random byte".format(
                    "each" if step == 1 else "every eighth"
                )
                return "write refused (EFBIG)", n // step, words
            self.check_error(folder, code, "cannot be written (File too large); allow larger files")
            self.check_whole(folder)
            if any("using the checkpoint before" in line for line in self.resume(folder)):
                raise Loss("the newest checkpoint was not good")
            shutil.rmtree(folder)
            n += step

    def check_error(self, folder, code, message):
        lines = self.work.said(folder)
        if code != 2 or lines[-2:-1] != ["ERROR"] or message not in lines[-1]:
            raise Loss("ended with {}: {}".format(code, lines[-2:]))

    @staticmethod
    def check_whole(folder):
        """Check that the newest checkpoint, if there ever was one, is there and good."""
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
            size = "size={}k".format(kilobytes)
            if run_quietly("mount", "-t", "tmpfs", "-o", size, "dlt", disk):
                return "disk full (ENOSPC)", 0, "skipped: only root may mount a small disk"
            try:
                folder = os.path.join(disk, "run")
                code = ended(self.work.fork(folder))
                if code == 0:
                    compare(folder, self.expected)
                    return "disk full (ENOSPC)", n, "disks of 4 to {} KB".format(kilobytes - 1)
                self.check_error(folder, code, "No space left on device); free some space")
                self.check_whole(folder)
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
        for n, epoch in enumerate([0, 1, 2, 9, 20], start=1):
            folder = os.path.join(free, "run{}".format(n))
            forbid = functools.partial(forbid_after, epoch, folder)
            code = ended(self.work.fork(folder, before=forbid))
            self.check_error(folder, code, "(Permission denied)")
            os.chmod(folder, 0o777)
            self.check_whole(folder)
            self.resume(folder, before=become_nobody)
        return "read-only folder", n, "before the run and at epochs 1, 2, 9, 20"

    def truncate(self):
        """Cut the newest checkpoint at many lengths, and spoil both."""
        stopped = self.folder()
        answers = iter([False] * 12)
        lines = self.work.run(stopped, expected_code=0, should_stop=lambda: next(answers, True))
        if "stopped by request" not in lines[-1]:
            raise Loss("a run that did not stop: {}".format(lines[-1:]))
        newest = os.path.join(stopped, "checkpoint.npz")
        size = os.path.getsize(newest)
        lengths = [0, 1, size - 1] + [size * k // 16 for k in range(1, 16)]
        lengths = lengths if self.thorough else lengths[:6]
        for length in lengths:
            folder = self.folder()
            shutil.copytree(stopped, folder)
            os.truncate(os.path.join(folder, "checkpoint.npz"), length)
            lines = self.work.run(folder, resume=True)
            if not any("using the checkpoint before it, of " in line for line in lines):
                raise Loss("nothing was said of a truncated checkpoint")
            if self.after_end(lines) != self.printed:
                raise Loss("another result was printed")
            compare(folder, self.expected)
            shutil.rmtree(folder)
        for name in ("checkpoint.npz", "checkpoint.previous.npz"):
            os.truncate(os.path.join(stopped, name), 100)
        code = ended(self.work.fork(stopped, resume=True))
        self.check_error(stopped, code, "found a damaged zip archive")
        words = "the one before is used, and that is said; both truncated: refused"
        return "truncated checkpoint", len(lengths), words

    def turn_clock_back(self):
        """Let the clock run backwards, fifty times as fast, under a run and its resumption."""
        shim = os.path.join(self.base, "shim.so")
        source = os.path.join(self.base, "shim.c")
        with open(source, "w") as file:
            file.write(CLOCK)
        compiler = next(filter(shutil.which, ["cc", "gcc", "clang"]), None)
        if compiler is None or run_quietly(compiler, "-shared", "-fPIC", "-o", shim, source):
            return "clock going backwards", 0, "skipped: no C compiler"
        folder, (printed, expected) = self.folder(), self.whole_script()
        process = start_script("--output-dir", folder, shim=shim)
        for line in process.stdout:
            if line.startswith("epoch 20,"):
                break
        process.kill()
        process.communicate(timeout=PATIENT)
        process = start_script("--output-dir", folder, "--resume", shim=shim)
        if self.script_result(process, folder) != printed:
            raise Loss("another result was printed")
        compare(folder, expected)
        return "clock going backwards", 1, "a killed run and its resumption"

    @staticmethod
    def script_result(process, folder):
        out, err = process.communicate(timeout=PATIENT)
        if process.returncode:
            raise Loss("the script failed: {}".format(err))
        return result_lines(out, folder)

    def two_writers(self):
        """Start a second run where one is at work, and a third one where it was killed."""
        n = 10 if self.thorough else 3
        for _ in range(n):
            folder = self.folder()
            first = self.work.fork(folder)
            self.wait_for_checkpoint(folder)
            os.kill(first, signal.SIGSTOP)  # at work, however fast it is
            code = ended(self.work.fork(folder))
            self.check_error(folder, code, "found another run at work in this folder")
            os.kill(first, self.random.choice([signal.SIGKILL, signal.SIGCONT]))
            os.kill(first, signal.SIGCONT)
            if ended(first) not in (0, -signal.SIGKILL):
                raise Loss("the first run suffered")
            self.resume(folder)
            shutil.rmtree(folder)
        return "two writers", n, "the second is refused, the first ends as ever"

    @property
    def n_script_kills(self):
        return self.kills // 25

    @property
    def thorough(self):
        return self.kills >= 100

    def rows(self):
        """Inflict all faults; yield (name, times, words, lost)."""
        faults = [
            self.kill_forks,
            self.kill_scripts,
            self.refuse_writes,
            self.fill_disk,
            self.forbid_writing,
            self.truncate,
            self.turn_clock_back,
            self.two_writers,
        ]
        for fault in faults:
            started = time.monotonic()
            try:
                name, n, words = fault()
                lost = None
            except (Loss, DltError, OSError) as error:
                name, n, words, lost = fault.__name__, 0, "", str(error) or repr(error)
            yield name, n, words, lost, time.monotonic() - started


CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long base;
static void turn(struct timespec *t) {
    if (!base) base = t->tv_sec + 1;
    long long passed = (t->tv_sec - base) * 1000000000LL + t->tv_nsec;
    long long now = base * 1000000000LL - 50 * passed;
    t->tv_sec = now / 1000000000LL; t->tv_nsec = now % 1000000000LL;
}
int clock_gettime(clockid_t clock, struct timespec *t) {
    int code = syscall(SYS_clock_gettime, clock, t);
    if (!code && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) turn(t);
    return code;
}
int gettimeofday(struct timeval *restrict v, void *restrict zone) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    v->tv_sec = t.tv_sec; v->tv_usec = t.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *result) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (result) *result = t.tv_sec;
    return t.tv_sec;
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


def result_lines(output, folder):
    """Take what the script prints at the end, without the name of the folder and the seconds."""
    lines = output.replace(folder, "FOLDER").splitlines()[-3:]
    return [re.sub(r"[0-9.]+ epochs/sec", "", line) for line in lines]


def run_quietly(*command):
    return subprocess.run(command, capture_output=True).returncode


def limit_write(n, fraction):
    """In this process, let the kernel refuse the nth write of a file after a part of its bytes."""
    real, count = files._write_and_rename, [0]

    def limited(target, write, previous):
        count[0] += 1
        if count[0] != n + 1:
            return real(target, write, previous)
        whole = io.BytesIO()
        write(whole)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(fraction * len(whole.getvalue())), hard))
        try:
            return real(target, write, previous)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    files._write_and_rename = limited


def become_nobody():
    """Leave root's rights, which no permission stops."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def forbid_after(epoch, folder):
    """In this process, make the folder read-only when an epoch has been reported."""
    become_nobody()
    if epoch == 0:
        os.mkdir(folder)
        os.chmod(folder, 0o555)
    real = training._Run._say

    def say(self, row, score, say):
        real(self, row, score, say)
        if row.epoch == epoch:
            os.chmod(folder, 0o555)

    training._Run._say = say


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=23455, metavar="N")
    args = parser.parse_args(argv)
    base = tempfile.mkdtemp(prefix="dlt-soak-")
    os.chmod(base, 0o755)  # a run without root's rights has to reach its folder
    lost = 0
    try:
        soak = Soak(args.kills, args.seed, base)
        print("| fault | times | resumed to the same end | lost | seconds | |", flush=True)
        print("|---|--:|--:|--:|--:|---|", flush=True)
        for name, n, words, loss, seconds in soak.rows():
            lost += loss is not None
            row = [name, n, n, int(loss is not None), "{:.0f}".format(seconds), loss or words]
            print("| {} |".format(" | ".join(map(str, row))), flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print("{} kills, seed {}: {}".format(args.kills, args.seed, "LOST" if lost else "nothing lost"))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
