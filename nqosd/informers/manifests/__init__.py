"""Folders of manifests in the place of an API server: files in, typed changes out."""
