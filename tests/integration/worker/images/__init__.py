"""Before-images: they are complete, and turn each change back."""
