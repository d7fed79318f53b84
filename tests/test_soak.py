"""A short soak: 20 kills and every other fault. ``make soak`` does ten times as much."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the soak forks")
def test_nothing_is_lost():
    process = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "soak.py"), "--kills", "20"],
        cwd=str(ROOT), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    rows = {}
    for line in process.stdout.splitlines()[2:-1]:
        name, n, resumed, lost, _, words = (cell.strip() for cell in line.split("|")[1:-1])
        assert lost == "0" and n == resumed, line
        rows[name] = int(n), words
    assert rows["SIGKILL"][0] == 20
    assert int(rows["SIGKILL"][1].split()[0]) >= 3, "too few kills hit a write"
    assert sorted(rows) == [
        "SIGKILL",
        "SIGKILL of the script",
        "clock going backwards",
        "disk full (ENOSPC)",
        "read-only folder",
        "truncated checkpoint",
        "two writers",
        "write refused (EFBIG)",
    ]
    # the script's own kill is in tests/test_scripts.py; a small disk and a compiler are optional
    for name in set(rows) - {"SIGKILL of the script"}:
        assert rows[name][0] or rows[name][1].startswith("skipped: "), name
    assert rows["write refused (EFBIG)"][0] >= 3
    assert process.stdout.splitlines()[-1] == "20 kills, seed 23455: nothing lost"
