"""Runs: what a training run keeps in its folder, and how it goes on from there.

`state` and `history` say where a run stands; `folder` names its files; `checkpoint` is the file
from which a run goes on; `lock` keeps a second run out; `saving` keeps the files up to date;
`aside` keeps the checkpoints of earlier runs; `resuming` compares two runs; `signals` turns Ctrl-C,
SIGTERM and SIGHUP into a request to stop.
"""
