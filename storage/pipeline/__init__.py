"""The path of a job, with one module and one .sql file per step: upload, split, claim, record, finish."""
