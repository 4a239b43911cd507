"""Full-size networks with random weights on a GPU: the original's formulas beside ours."""
