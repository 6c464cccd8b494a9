"""What can be tuned, and what a job published under a name."""
