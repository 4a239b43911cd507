"""One module per outside system; each implements a port and holds no business rule."""
