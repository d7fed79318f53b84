"""Runs: what a training run leaves in its folder, and how it goes on from there.

`state` and `history` say where a run stands; `folder` names its files; `checkpoint` is the file
it goes on from; `lock` keeps a second run out; `saving` keeps all of them up to date; `resuming`
compares two runs; `signals` turns Ctrl-C, SIGTERM and SIGHUP into a request to stop.
"""
