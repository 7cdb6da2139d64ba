"""Pictures of what networks learned: kernels, confusion matrices and test images, in cells of a terminal."""
