"""What each command means at each stage: the operating rules, one module a matter."""
