"""Model selection: train candidates on one split, and score the best one on the test set.

`candidates` says what is to be trained, and `recipes` how; `working` trains one candidate, in
whatever process; `processes` are local ones; `search` runs them all and picks the winner;
`result` shows what was found.

Source: page "Getting Started", section "Testing".
"""
