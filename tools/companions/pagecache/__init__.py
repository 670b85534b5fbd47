"""What of a file is in the page cache, what a read costs in each state, and who maps what."""
