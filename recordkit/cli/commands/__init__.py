"""One module for each command of recordkit."""
