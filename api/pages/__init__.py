"""The pages at `/`, one file a view: what a person sees of the same rows that the JSON shows."""
