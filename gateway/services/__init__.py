"""Orchestration over ports."""
