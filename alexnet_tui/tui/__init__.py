"""The console: the only place where Textual is imported.

`app` makes one `session`, which has what all screens share: the runs as `watch` reads them, the pin, the marks and the
person's `settings`. A screen, in `screens`, is given the session, and posts a message such as `session.OpenRun` to have
the app show another one. What one can do to runs from any screen is in `run_actions` and `note_edits`, what became of
it is shown by `notifications`.

Screens are made of `widgets`, `charts` and `pictures`; bindings are made in `keys`, symbols are in `glyphs`, and
`run_names` says what a run is called. `terminal` is below all of it. The event loop never waits for a disk: `threads`
makes calls that may, `workers` has the Textual workers that ask for the same again and again, and `key_queue` lets the
next key wait for what the one before it opens.
"""
