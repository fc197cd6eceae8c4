// SPDX-License-Identifier: MIT

// Requests by Go's crypto/tls over one connection, then some over a new one
// each: go run main.go HOST:PORT 1.2|1.3 COUNT
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

var versions = map[string]uint16{
	"1.2": tls.VersionTLS12,
	"1.3": tls.VersionTLS13,
}

func client(version uint16) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true,
			MinVersion:         version,
			MaxVersion:         version,
			ClientSessionCache: tls.NewLRUClientSessionCache(8),
		},
	}}
}

// A header as long as the number, so that records have all sizes.
func get(c *http.Client, addr string, n int) (resumed bool, err error) {
	req, err := http.NewRequest("GET", "https://"+addr+"/derp/probe", nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("X-Padding", strings.Repeat("x", n%4000))
	res, err := c.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil {
		return false, err
	}
	if res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %d", res.StatusCode)
	}
	return res.TLS.DidResume, nil
}

func run(addr, version string, count int) error {
	c := client(versions[version])
	for i := range count {
		if _, err := get(c, addr, i*37); err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
	}
	for range 20 {
		c.CloseIdleConnections()
		resumed, err := get(c, addr, 0)
		if err != nil {
			return err
		}
		if resumed {
			return fmt.Errorf("a session was resumed")
		}
	}
	return nil
}

func main() {
	count, err := strconv.Atoi(os.Args[3])
	if err == nil {
		err = run(os.Args[1], os.Args[2], count)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}
