"""The Compare screen: curves and numbers of several runs beside each other.

`comparison` makes the rows, columns and curves that `screen` shows.
"""
