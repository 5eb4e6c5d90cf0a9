"""Options and output of the commands that train networks or use trained ones."""
