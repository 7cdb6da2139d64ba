"""Many runs as one.

`planning` writes a study's plan, `plan` reads it; `queue` has the state of its runs; `scheduler` starts what comes
next, asked by the process in `worker` for each of the `orders`; `bookkeeping` keeps the `ledger`.
"""
