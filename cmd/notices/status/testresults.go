package status

import (
	"context"

	"notices/spool"
	"notices/spool/smtpclient"
)

// The result of a test is kept under the server's number. When servers change places in
// the config their results follow them: each goes by host, port and login.

// testResults loads the results of servers, in their order; the zero value: none is kept.
func testResults(ctx context.Context, state spool.State, servers []smtpclient.Server) ([]spool.TestResult, error) {
	kept := make([]spool.TestResult, len(servers))
	for i := range servers {
		var err error
		if kept[i], err = spool.LoadState[spool.TestResult](ctx, state, spool.TestName+servers[i].Name); err != nil {
			return nil, err
		}
	}
	found := make([]spool.TestResult, len(servers))
	for i := range servers {
		found[i] = resultOf(kept, i, &servers[i])
	}
	return found, nil
}

// resultOf picks a server's result: the one in its place if that is its own, else another.
func resultOf(kept []spool.TestResult, i int, s *smtpclient.Server) spool.TestResult {
	if own := &kept[i]; !own.At.IsZero() && own.Of(s.Host, s.Port, s.Login) {
		return *own
	}
	for _, r := range kept {
		if r.Host != "" && r.Of(s.Host, s.Port, s.Login) {
			return r
		}
	}
	return spool.TestResult{}
}

// PlaceTestResults puts the results where their servers stand now, so that a new one does not
// take the place of another server's. What cannot be read or written here cannot be either
// when the new result is kept, and is told then.
func PlaceTestResults(ctx context.Context, state spool.State, servers []smtpclient.Server) {
	found, err := testResults(ctx, state, servers)
	for i := 0; i < len(found) && err == nil; i++ {
		if found[i].At.IsZero() {
			continue
		}
		err = spool.UpdateState(ctx, state, spool.TestName+servers[i].Name, true, func(r *spool.TestResult) error {
			*r = found[i]
			return nil
		})
	}
}
