"""Stand-ins of outside services, for development and tests: never for production."""
