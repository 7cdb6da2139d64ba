"""Many runs as one.

`planning` writes a study's plan, `plan` reads it. `planned_runs` has the state of its runs, `study_queue` what people
say of their order. `scheduler` starts what comes next, asked by the process in `worker` for each of the `orders`;
`bookkeeping` keeps the `ledger`.
"""
