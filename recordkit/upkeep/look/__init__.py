"""Looking at a dataset: statistics of its images and labels, a contact sheet, and a page for a browser."""
