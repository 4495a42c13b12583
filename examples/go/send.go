// Send a CSV file of contacts, wait for the end of its job, print what failed: go run send.go contacts.csv
// BULKLANE_URL and BULKLANE_API_KEY are the address of the service and the key of the account.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	mathrand "math/rand"
	"net/http"
	"os"
	"strconv"
	"time"
)

const attempts = 12

type job struct {
	ID         string
	State      string
	FinishedAt *string `json:"finished_at"`
	Counts     struct{ Failed int }
}

type errorPage struct {
	Data []struct {
		Index         int
		Code, Message string
	}
	NextCursor *string `json:"next_cursor"`
}

func main() {
	accepted := submit(os.Args[1])
	fmt.Println(accepted.ID, "accepted")
	ended := waitForEnd(accepted.ID)
	fmt.Printf("%s: %d failed\n", ended.State, ended.Counts.Failed)
	printErrors(ended.ID)
}

// submit sends a file, which is read while it is sent, and returns its job.
func submit(path string) (accepted job) {
	key := make([]byte, 16) // of all attempts: the file is applied once
	if _, err := rand.Read(key); err != nil {
		log.Fatal(err)
	}
	call(&accepted, func() (*http.Request, error) {
		file, err := os.Open(path) // each attempt reads the file from its beginning
		if err != nil {
			log.Fatal(err)
		}
		request, err := http.NewRequest("POST", os.Getenv("BULKLANE_URL")+"/v1/bulk/contacts.upsert", file)
		if err == nil {
			request.Header.Set("Content-Type", "text/csv")
			request.Header.Set("Idempotency-Key", fmt.Sprintf("%x", key))
		}
		return request, err
	})
	return accepted
}

// waitForEnd returns the job when it has ended. Each request waits for that, for at most 30 seconds.
func waitForEnd(id string) (found job) {
	for found.FinishedAt == nil {
		call(&found, get("/v1/jobs/"+id+"?wait=30"))
	}
	return found
}

// printErrors prints the failed items of a job, page by page.
func printErrors(id string) {
	for cursor := ""; ; {
		var page errorPage
		call(&page, get("/v1/jobs/"+id+"/errors?limit=100"+cursor))
		for _, item := range page.Data {
			fmt.Printf("item %d: %s: %s\n", item.Index, item.Code, item.Message)
		}
		if page.NextCursor == nil {
			return
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

func get(path string) func() (*http.Request, error) {
	return func() (*http.Request, error) {
		return http.NewRequest("GET", os.Getenv("BULKLANE_URL")+path, nil)
	}
}

// call sends a request and decodes the JSON of its answer. It repeats what was refused for now, or lost.
func call(answer any, build func() (*http.Request, error)) {
	for attempt := 1; ; attempt++ {
		status, header, body, err := send(build)
		if err == nil && status < 300 {
			if err := json.Unmarshal(body, answer); err != nil {
				log.Fatal(err)
			}
			return
		}
		if (err == nil && !isTemporary(status, body)) || attempt == attempts {
			log.Fatalf("status %d: %s%v", status, body, err)
		}
		wait := 1 << min(attempt-1, 5)
		if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil {
			wait = seconds
		}
		log.Printf("status %d, %v: again in %d s", status, err, wait)
		// clients that were refused together come back apart
		time.Sleep(time.Duration(wait)*time.Second + time.Duration(mathrand.Intn(500))*time.Millisecond)
	}
}

// send makes one attempt.
func send(build func() (*http.Request, error)) (int, http.Header, []byte, error) {
	request, err := build()
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("BULKLANE_API_KEY"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, body, err
}

// isTemporary says whether a request can be sent again: nothing was stored, or an earlier attempt is still received.
func isTemporary(status int, body []byte) bool {
	switch status {
	case 429, 500, 502, 503, 504:
		return true
	}
	return bytes.Contains(body, []byte(`"idempotency_in_progress"`))
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
