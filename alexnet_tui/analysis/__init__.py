"""From histories to conclusions: metrics, groups of seeds, statistics, claims, and the published numbers.

`metrics` are the numbers of one run and `samples` those of several, compared by the tests in `stats`. `groups` has the
runs that differ in their seed alone, `conditions` what runs must share to be compared. `integrity` checks one record,
`copies` one against another. `selection` finds the runs that a person named, and `verdict` judges claims on them.
`compare`, `seed_noise` (of a difference) and `readings` describe and judge nothing. `published` and `contradictions`
are the study's own figures and words. `network_size` and `time_estimate` tell what a run takes before it is started.
"""
