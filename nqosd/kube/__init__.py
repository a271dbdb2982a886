"""The API server: how it is reached, with which credentials, and how requests to it end."""
