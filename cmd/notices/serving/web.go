package serving

import (
	"io"
	"log"
	"net/http"
	"time"
)

// maxWeb is how many connections an HTTP listener serves at once; more wait to be accepted.
const maxWeb = 200

// newWeb makes an HTTP server that slow and endless clients do not harm. HTTP/1.1 is enough for a
// few small requests, and has less to attack.
func newWeb(handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // what clients do wrong
	}
}
