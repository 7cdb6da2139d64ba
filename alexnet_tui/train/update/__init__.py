"""One update of the weights: the step, its optimiser and learning rate, as one CUDA graph, over several processes."""
