"""Model selection: train candidates on one split, and score the best one on the test set.

`candidates` says what to train, and `recipes` how; `working` trains one candidate, in any process;
`processes` and `cluster` provide such processes; `search` has all candidates trained and picks the
winner; `looks` scores it on the test set, once; `result` shows what was found.

Source: page "Getting Started", section "Testing".
"""
