"""Send a file of contacts, wait for the end of its job, print what failed: python send.py contacts.csv

BULKLANE_URL and BULKLANE_API_KEY are the address of the service and the key of the account. The client
streams the file, makes the Idempotency-Key, and repeats what was refused or cut.
"""

import sys

from bulklane import Bulklane

with Bulklane() as client:
    job = client.jobs.submit(sys.argv[1])
    print(job.id, "accepted")
    job.wait(timeout=3600)
    print(f"{job.state}: {job.counts.failed} failed")
    for error in job.errors():
        print(f"item {error.index}: {error.code}: {error.message}")
