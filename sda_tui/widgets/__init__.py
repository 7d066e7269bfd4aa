"""Small things that draw; what they draw comes from outside."""
