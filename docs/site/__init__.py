"""Makes the site of the documentation: `./run docs`."""
