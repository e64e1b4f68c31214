package route

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"notices/spool/smtptest"
)

// A server that hangs up after each message: the next one gets a fresh connection, and that
// is no trouble.
func TestRealHangsUpAfterEachMessage(t *testing.T) {
	for _, connections := range []int{1, 4} {
		one := smtptest.New(t, smtptest.Options{Reply: ever("dot", "250 2.0.0 ok"+smtptest.Drop)})
		w := real(t, one)
		w.servers[0].Connections = connections
		r := w.realRun()
		got := w.many(r, 30)
		w.end(r)
		if got["delivered"] != 30 {
			t.Errorf("%d connections: %v, %+v", connections, got, one.Counts())
		}
	}
}

// One poisonous message among others, over which the server resets the connection:
// the others arrive, the server is not paused.
func TestRealPoison(t *testing.T) {
	for _, ending := range []string{smtptest.Drop, smtptest.Reset} {
		for range 20 {
			one := smtptest.New(t, smtptest.Options{Reply: func(stage, line string) string {
				if stage == "RCPT" && strings.Contains(line, "<r3@") {
					return ending
				}
				return ""
			}})
			w := real(t, one)
			w.servers[0].Connections = 1
			r := w.realRun()
			var got [6]string
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() { got[i] = classes(w.deliver(r, fmt.Sprintf("r%d@example.com", i))) })
			}
			wg.Wait()
			w.end(r)
			if got != [6]string{"delivered", "delivered", "delivered", "deferred", "delivered", "delivered"} {
				t.Fatalf("%q: %q, %+v", ending, got, one.Counts())
			}
		}
	}
}
