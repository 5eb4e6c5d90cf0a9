"""Requests to one store by obstore: its clients, their credentials, attempts, answers, and uploads in parts."""
