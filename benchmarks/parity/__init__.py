"""Our networks and pictures against goldens recorded from the original ones."""
