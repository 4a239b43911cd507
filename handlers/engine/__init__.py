"""Step-level batching: requests join and leave a running batch between two denoising steps."""
