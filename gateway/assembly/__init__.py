"""Puts the services together from settings and from what `resources` opened for them."""
