"""HTML that notebooks show of datasets, samples, batches and reports."""
