"""What a trained network sees and mistakes: its first layer's kernels, its predictions, its test images, as pixels."""
