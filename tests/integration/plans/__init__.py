"""Every statement reads what it returns, whatever the tables hold and the planner knows of them."""
