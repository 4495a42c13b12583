"""The entities of an account, with one module and one .sql file each: contacts, lists, labels and others."""
