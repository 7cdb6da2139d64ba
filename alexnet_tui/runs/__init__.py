"""The record of a run: events in a file, the folder of runs, and the history that events fold into."""
