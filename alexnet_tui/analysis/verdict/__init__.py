"""From the groups of a plan to a verdict on each claim.

`rules` has the decision. Before the runs, `claim_checks` says which claims may be registered; `registration` says which
runs count under a plan. `judge` goes from runs to verdicts: a `case` is a claim with its runs, `obstacles` keep it from
being assessed, its `effect` is estimated and tested, `remarks` and `secondary` outcomes are told and decide nothing.
`figure1` is the paper's comparison at the best learning rates.
"""
