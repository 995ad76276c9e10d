"""Drills 应急演练: what a script lets happen when, what is expected after it, and how it was met."""
