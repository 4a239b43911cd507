"""Reads what a request shows and holds into what the services take; names what is wrong."""
