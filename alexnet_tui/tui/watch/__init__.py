"""Reading the runs folder again and again, in a thread: histories, states, and when to look next."""
