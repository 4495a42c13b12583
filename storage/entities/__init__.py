"""What accounts own, one module and one .sql file a noun: contacts, lists, labels, channels and the like."""
