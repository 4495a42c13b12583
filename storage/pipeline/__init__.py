"""The path of a job, one module and one .sql file a step: upload, split, claim, record, finish."""
