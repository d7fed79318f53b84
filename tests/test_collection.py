"""The tests themselves: the processes that share them must find the same ones."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.once


def test_every_process_finds_the_same_tests():
    # A time or the order of a set in a test's name would differ from process to process, and
    # then pytest-xdist runs none of them.
    found = []
    for seed in "12":  # some seconds lie between the two
        process = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
            cwd=str(ROOT), env=dict(os.environ, PYTHONHASHSEED=seed), capture_output=True,
            text=True, timeout=300,
        )  # fmt: skip
        assert process.returncode == 0, process.stdout[-2000:]
        found.append([line for line in process.stdout.splitlines() if "::" in line])
    assert len(found[0]) > 2000
    assert found[0] == found[1]
