"""The items of a bulk request: their types, their rules, and what can be wrong with one."""
