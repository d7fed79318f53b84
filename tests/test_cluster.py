"""Searches on a Dask cluster: processes die, and the result is that of a search without any."""

import concurrent.futures
import contextlib
import functools
import random
import socket
import subprocess
import sys

import pytest
from conftest import MODE_FLAGS, ROOT, bare_environment

import dlt
from dlt.errors import DataError, SettingsError
from dlt.selection.cluster import executor

pytest.importorskip("distributed")
from clusters import (
    Cluster,
    at_work,
    found,
    goes_on,
    histories,
    kill_one,
    wait_for_work,
    wait_until,
)
from perilous import perilous

pytestmark = [pytest.mark.slow, pytest.mark.once]

CANDIDATES = dlt.grid(batch_size=[20], learning_rate=[0.03, 0.1], seed=range(2))
EPOCHS = 60  # two seconds


@pytest.fixture(scope="module")
def environ():
    path = f"{ROOT}:{ROOT / 'tests'}"
    return bare_environment(PYTHONPATH=path, **MODE_FLAGS)


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """What a search finds that trains one candidate after the other, in this process."""
    return found(search(tmp_path_factory.mktemp("serial")))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, environ):
    """Two workers, each with a nanny that replaces it when it dies."""
    with Cluster(tmp_path_factory.mktemp("cluster"), environ) as cluster:
        cluster.add_worker()
        cluster.add_worker()
        yield cluster


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def search(folder, workers=None, candidates=CANDIDATES, n_epochs=EPOCHS, **options):
    return dlt.select("digits", candidates, folder, n_epochs=n_epochs, executor=workers, **options)


@contextlib.contextmanager
def searching(runs, cluster, **options):
    """Search in a thread; yields its future."""
    with executor(cluster.address) as workers, concurrent.futures.ThreadPoolExecutor(1) as thread:
        yield thread.submit(search, runs, workers, **options)


def test_workers_that_are_killed_change_nothing_and_each_candidate_goes_on(cluster, serial, runs):
    rng, before = random.Random(23455), []
    with searching(runs, cluster) as future:
        for _ in range(3):
            before.append(kill_one(cluster, runs, rng, future.done))
    assert found(future.result()) == serial
    assert all(before) and all(map(functools.partial(goes_on, runs), before))


def test_the_client_is_killed_and_the_search_goes_on_beside_what_still_runs(
    cluster, serial, runs, environ
):
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, cluster.address, str(runs)], env=environ,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with client:
        assert client.stdout.readline().startswith("1/4 ")
        wait_for_work(cluster, runs)
        client.kill()
    assert at_work(cluster, runs)
    before = histories(runs)
    with executor(cluster.address) as workers:
        assert found(search(runs, workers)) == serial
    assert before and goes_on(runs, before)


CLIENT = """
import sys
import dlt
from dlt.selection.cluster import executor
from test_cluster import search
with executor(sys.argv[1]) as workers:
    search(sys.argv[2], workers, log=lambda line: "/" in line and print(line, flush=True))
"""


def test_workers_stop_when_the_search_is_stopped(cluster, runs):
    endless = {"candidates": CANDIDATES[:2], "n_epochs": 10**6, "patience": dlt.Patience(10**9)}
    with executor(cluster.address) as workers:
        stopped = search(runs, workers, should_stop=lambda: at_work(cluster, runs), **endless)
    assert not stopped.is_complete

    def idle():
        return not at_work(cluster, runs)

    wait_until(idle, 10)


def test_both_workers_die_and_new_ones_go_on(tmp_path, environ, serial, runs):
    with Cluster(tmp_path, environ) as cluster:
        workers = [cluster.add_worker() for _ in range(2)]
        with searching(runs, cluster) as future:
            wait_for_work(cluster, runs, future.done)
            cluster.stop(*workers)
            before = histories(runs)
            cluster.add_worker("--nthreads", "2")
    assert found(future.result()) == serial
    assert before and goes_on(runs, before)


def test_a_candidate_that_kills_its_workers_is_reported_and_no_other(
    tmp_path, environ, serial, runs
):
    starts = tmp_path / "starts"
    # one death is enough for Dask to give up all that the worker held
    failures = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0", "STARTS": str(starts)}
    candidates = [
        {"batch_size": 20, "seed": seed, "end": end}
        for seed, end in enumerate(["dies", "raises", "is well", "is well"])
    ]
    with Cluster(tmp_path, {**environ, **failures}) as cluster:
        cluster.add_worker()
        with executor(cluster.address) as workers:
            selection = search(runs, workers, candidates, 2, recipe=perilous)
    wrong = {outcome.settings["end"]: outcome.error for outcome in selection.outcomes[2:]}
    died = "every process that trained it died; see what they printed"
    assert wrong == {"dies": died, "raises": "RuntimeError: no way"}
    assert [outcome.n_epochs for outcome in selection.outcomes] == [2, 2, 0, 0]
    begun = starts.read_text().split("\n")
    assert begun.count("raises") == 1 and begun.count("dies") == 2


def in_another_place(source, target):
    """Return what starts a process that sees one folder in the place of another."""
    return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"',
            str(source), str(target)]  # fmt: skip


def may_mount(tmp_path):
    return subprocess.call([*in_another_place(tmp_path, tmp_path), "true"]) == 0


def test_a_worker_that_sees_another_folder_or_other_data_is_refused(tmp_path, environ, runs, blobs):
    other, data, other_data = (tmp_path / name for name in ("other", "data", "other data"))
    for folder in (runs, other):
        folder.mkdir()
    if not may_mount(tmp_path):
        pytest.skip("only root may mount")
    dlt.save_data(data, blobs)
    x, y = blobs[0]
    dlt.save_data(other_data, [(x[::-1], y[::-1]), *blobs[1:]])
    for source, target, message in [
        (other, runs, f"{runs}: found another folder, or none, on the machine .*; expected the "
         "one that the search writes to; choose a folder that all machines share"),
        (other_data, data, f"{data}: found other data on the machine .*; expected the same on "
         "all machines; copy it there"),
    ]:  # fmt: skip
        with Cluster(tmp_path, environ) as cluster:
            cluster.add_worker(before=in_another_place(source, target))
            with executor(cluster.address) as workers:
                with pytest.raises(DataError, match=message):
                    dlt.select(data, [{"seed": 1}], runs, n_epochs=1, executor=workers)


def test_a_scheduler_that_dies_ends_the_search_with_one_line(tmp_path, environ, runs):
    with Cluster(tmp_path, environ) as cluster:
        cluster.add_worker()
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, cluster.address, str(runs)], env=environ,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with client:
            assert client.stdout.readline().startswith("1/4 ")
            cluster.stop(cluster.scheduler)
            _, err = client.communicate(timeout=60)
    assert err.splitlines()[-1] == (
        "dlt.errors.SettingsError: executor: found a task that was cancelled; expected one that "
        "runs every task; start the executor again, and repeat the search: it goes on"
    )
    assert err.startswith("Traceback") and err.count("Traceback") == 1, err


def test_what_is_no_scheduler_is_refused(monkeypatch):
    monkeypatch.setattr("dlt.selection.cluster._PATIENT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "tcp://127.0.0.1:%d" % silent.getsockname()[1]
        with pytest.raises(SettingsError, match=address + r": found no Dask scheduler \(.*\); exp"):
            with executor(address):
                pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError, match=r'pip install "theano-dlt\[cluster\]"$'):
        with executor(address):
            pass
