"""The only room with SQL and Lua: pools, named queries, migrations, the window, the queue, the servers."""
