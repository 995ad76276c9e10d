"""What workflows have done for them: advance a case, notify, call the shop."""
