"""The whole server on one machine: TorchServe and the gateway as two children of one process."""
