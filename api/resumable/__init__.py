"""Resumable uploads, after draft-ietf-httpbis-resumable-upload: create, append, turn into a job."""
