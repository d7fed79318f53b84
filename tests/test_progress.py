"""Progress: nothing but lines where there is no terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from conftest import ROOT

CODE = (
    "from dlt.progress import Progress\n"
    "with Progress(3, 'minibatch', log=print) as progress:\n"
    "    for i in range(3):\n"
    "        progress.advance(1)\n"
    "        progress.say('line %d' % i)\n"
)


def test_piped_output_is_lines_alone():
    process = subprocess.run(
        [sys.executable, "-c", CODE], cwd=str(ROOT), capture_output=True, text=True
    )
    assert (process.stdout, process.stderr) == ("line 0\nline 1\nline 2\n", "")


def test_a_terminal_gets_a_bar():
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.run(
        [sys.executable, "-c", CODE], cwd=str(ROOT), stdout=subprocess.PIPE, stderr=follower
    )
    os.set_blocking(leader, False)
    shown = os.read(leader, 65536).decode()  # before the follower is closed, or it is gone
    os.close(follower)
    os.close(leader)
    assert process.stdout.decode() == "line 0\nline 1\nline 2\n"
    assert "minibatch" in shown and "/3" in shown


def test_a_bar_begins_where_an_earlier_one_ended():
    code = CODE.replace("Progress(3, ", "Progress(10, ").replace("log=print", "log=print, done=7")
    code = code.replace("'minibatch'", "'minibatch', True")
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), capture_output=True, text=True
    )
    assert "7/10" in process.stderr and "0/10 " not in process.stderr.replace("10/10", "")
