"""Lists, labels, teams, channels, audiences and properties over REST."""
