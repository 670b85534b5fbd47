"""What each kind of mirror is as users write it: one file for each, and the table of all."""
