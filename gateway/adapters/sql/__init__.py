"""Sessions in SQLite or Postgres, by one code path."""
