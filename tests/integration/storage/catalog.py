"""Describe a schema from the catalogs of PostgreSQL, one line for each fact, to compare two schemas."""

import difflib

from storage.postgres.pool import Conn

# Each query returns lines of text about the schema `public`.
RELATIONS = """
SELECT format('%s %s: persistence %s, options %s', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view'
    WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' ELSE c.relkind::text END, c.relname, c.relpersistence,
    array_to_string(c.reloptions, ','))
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
"""
COLUMNS = """
SELECT format('table %s: column %s %s %s%s%s%s, storage %s, compression %s, identity %s%s', c.relname,
    row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END,
    CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
    a.attstorage, a.attcompression, a.attidentity, a.attgenerated)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
"""
SEQUENCES = """
SELECT format('sequence %s: %s from %s, step %s, cache %s, cycle %s', sequencename, data_type, start_value,
    increment_by, cache_size, cycle)
FROM pg_sequences WHERE schemaname = 'public'
"""
CONSTRAINTS = """
SELECT format('table %s: constraint %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 't'
"""
INDEXES = "SELECT format('index %s: %s', indexname, indexdef) FROM pg_indexes WHERE schemaname = 'public'"
VIEWS = "SELECT format('view %s: %s', viewname, definition) FROM pg_views WHERE schemaname = 'public'"
FUNCTIONS = """
SELECT format('function %s: %s', p.oid::regprocedure, pg_get_functiondef(p.oid))
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
"""
TRIGGERS = """
SELECT format('table %s: %s, enabled %s', tgrelid::regclass, pg_get_triggerdef(t.oid), tgenabled)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
"""
TYPES = """
SELECT format('type %s: %s', t.typname, t.typtype)
FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = 'public'::regnamespace AND t.typtype <> 'b' AND c.relkind IS DISTINCT FROM 'r'
  AND c.relkind IS DISTINCT FROM 'v'
"""
EXTENSIONS = "SELECT 'extension ' || extname FROM pg_extension"
QUERIES = (RELATIONS, COLUMNS, SEQUENCES, CONSTRAINTS, INDEXES, VIEWS, FUNCTIONS, TRIGGERS, TYPES, EXTENSIONS)


async def describe(conn: Conn) -> list[str]:
    """Return a description of the schema `public` as sorted lines."""
    facts: list[str] = []
    for query in QUERIES:
        facts += [row[0] for row in await conn.fetch(query)]
    return [line for fact in sorted(facts) for line in fact.splitlines()]


def differences(ours: list[str], theirs: list[str], *, names: tuple[str, str]) -> str:
    """Return a unified diff of two descriptions; empty if they are equal."""
    return "\n".join(difflib.unified_diff(ours, theirs, *names, lineterm="", n=1))
