"""The `vton` command."""
