#!/bin/sh
# Send a CSV file of contacts, wait for the end of its job, save what failed:
#     sh send.sh contacts.csv failed.csv
# BULKLANE_URL and BULKLANE_API_KEY are the address of the service and the key of the account.
set -eu
file=$1
failed=$2
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# Send a request and print its status; the body of the answer is in $answer. curl repeats the request after a
# 429, a 503 and a lost connection, and waits as long as Retry-After says.
call() {
    curl --silent --show-error --retry 8 --retry-all-errors --output "$answer" --write-out '%{http_code}' \
        --header "Authorization: Bearer $BULKLANE_API_KEY" "$@"
}

# All attempts have the same key, so the file is applied once. curl reads the file while it sends it.
# A 409 means that the service has not noticed yet that an earlier attempt was cut.
key=$(basename "$file")-$(date +%s)-$$
attempts=0
while
    status=$(call --header "Idempotency-Key: $key" --header "Content-Type: text/csv" \
        --request POST --upload-file "$file" "$BULKLANE_URL/v1/bulk/contacts.upsert")
    attempts=$((attempts + 1))
    [ "$status" = 409 ] && [ "$attempts" -lt 30 ]
do
    sleep 5
done
if [ "$status" -ge 300 ]; then
    cat "$answer" >&2
    exit 1
fi
job=$(sed 's/^{"id":"\([^"]*\)".*/\1/' "$answer")
echo "$job accepted"

# Each request waits for the end of the job, for at most 30 seconds.
while
    call "$BULKLANE_URL/v1/jobs/$job?wait=30" >/dev/null
    grep -q '"finished_at":null' "$answer"
do :; done
state=$(sed 's/^{"id":"[^"]*","operation":"[^"]*","state":"\([^"]*\)".*/\1/' "$answer")
echo "$state: $(sed 's/.*"skipped":[0-9]*,"failed":\([0-9]*\).*/\1/' "$answer") failed"

call --header "Accept: text/csv" "$BULKLANE_URL/v1/jobs/$job/errors" >/dev/null
mv "$answer" "$failed"
