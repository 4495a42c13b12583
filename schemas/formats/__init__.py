"""Turn the bytes of a body into records: without I/O, incrementally, in constant memory.

    encodings ── charsets ── ndjson | csv_rows ──► parts        while the body arrives
                             json_array ─────────► parts        a bounded body, at once
    part ── spans ──► chunk                                     what a chunk refers to
    run of a span ── decode ──► items, unreadable records among them

A JSON body is stored as NDJSON parts, one element per line. So a stored part is NDJSON or CSV.
"""
