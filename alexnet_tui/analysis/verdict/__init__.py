"""From the groups of a plan to a verdict on each claim.

`rules` has the decision. Before the runs, `claim_checks` says which claims may be registered, and `claim_plan` writes
the plan of these. After them, `plan_checks` says whether a plan is as it was registered, and `registration` which runs
count under it. `judge` goes from these runs to verdicts: a `case` is a claim with its runs, `obstacles` keep it from
being assessed, its `effect` is estimated and tested, `remarks` and `secondary` outcomes are told and decide nothing.
`figure1` is the paper's comparison at the best learning rates.
"""
