"""What functions share."""

GREETING = "good morning"
