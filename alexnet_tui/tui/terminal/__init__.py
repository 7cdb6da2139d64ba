"""The terminal the console draws on: its driver, the cells it shows, and the themes."""
