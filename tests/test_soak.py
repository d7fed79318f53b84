"""A short soak: 10 kills and every other fault. ``make soak`` does twenty times as much."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.once]

FAULTS = ["SIGKILL", "SIGKILL of the script", "write refused (EFBIG)", "disk full (ENOSPC)",
          "read-only folder", "truncated checkpoint", "clock going backwards",
          "two writers", "folder moved or replaced", "--resume forgotten twice",
          "SIGKILL of workers"]  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the soak forks")
def test_nothing_is_lost():
    process = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "soak.py"), "--kills", "10"],
        cwd=str(ROOT), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    rows = {}
    for line in process.stdout.splitlines()[2:-1]:
        name, n, resumed, lost, _, words = (cell.strip() for cell in line.split("|")[1:-1])
        assert lost == "0" and n == resumed, line
        rows[name] = int(n), words
    assert list(rows) == FAULTS
    assert rows["SIGKILL"][0] == 10
    writing, _, *kinds = (int(words.split()[0]) for words in rows["SIGKILL"][1].split(", "))
    assert writing >= 2, "too few kills hit a write"
    assert min(*kinds, 10 - sum(kinds)) >= 2, "too few kills hit runs of one of the three kinds"
    # those two are in tests/test_scripts.py and test_cluster.py; a small disk and a compiler are
    # optional
    for name in set(rows) - {"SIGKILL of the script", "SIGKILL of workers"}:
        assert rows[name][0] or rows[name][1].startswith("skipped: "), name
    assert rows["write refused (EFBIG)"][0] >= 3
    assert process.stdout.splitlines()[-1] == "10 kills, seed 23455: nothing lost"
