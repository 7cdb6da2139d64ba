"""The Runs screen: the table of all runs, its columns, filter and preview."""
