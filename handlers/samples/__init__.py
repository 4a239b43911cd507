"""Pictures that ship with the worker: a rendered person and a product photo, 768x1024 each.

People rendered from MakeHuman's CC0 assets.
"""
