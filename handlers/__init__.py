"""What runs inside a TorchServe worker: pixels and models, no web framework."""
