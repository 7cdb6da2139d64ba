"""The terminal that the console draws on.

`driver` sets it up and gives it back, `input` takes apart what it sends, `changed_cells` finds what has to be sent to
it, and `themes` has every colour.
"""
