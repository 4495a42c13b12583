"""The only package with SQL and Lua: pools, named queries, schema, migrations, the window, the queue."""
