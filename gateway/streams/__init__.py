"""Answers that go on: server-sent events and WebSockets."""
