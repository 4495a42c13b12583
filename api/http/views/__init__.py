"""What the JSON API and the pages share about resources and limits: their views, and the ids in paths."""
