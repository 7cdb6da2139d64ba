"""The Studies screen: plans of many runs and their queue."""
