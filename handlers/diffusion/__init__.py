"""Diffusion try-on: networks, loading, conditioning, sampling; torch and diffusers live here."""
