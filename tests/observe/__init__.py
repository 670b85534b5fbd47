"""The log, with readers that stall, go away and come back."""
