"""The formats of InsightFace's face datasets: metadata records in .rec files, and verification sets."""
