"""One folder for each screen of the console; no screen imports another.

In each folder `screen` has the class with the bindings and actions, and `screen.tcss` its style; that of `runs`, which
is there from the start, is in `app.tcss`. The other modules make what is shown, most of them without a widget.
"""
