"""Drive a running engine with an event log: its history as fast as possible, or live on compressed time."""
