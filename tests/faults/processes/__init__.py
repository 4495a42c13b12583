"""Break the processes of Bulklane: kill them, stop them, start more of them, let their work race."""
