"""The documentation: pages in Markdown, and the package that makes a site of them."""
