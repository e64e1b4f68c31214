package queue

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
)

// ShowOptions are those of notices show.
type ShowOptions struct {
	ID   string
	JSON bool
}

// shownJSON is what show prints beyond list.
type shownJSON struct {
	messageJSON
	Headers []headerJSON  `json:"headers"`
	History []historyJSON `json:"history"`
}

// headerJSON is one header field, unfolded, in the order of the message. A name may
// come more than once.
type headerJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Show prints one message.
func (q *Queue) Show(ctx context.Context, o ShowOptions) error {
	r, headers, err := q.open(ctx, o.ID)
	if errors.Is(err, spool.ErrGone) {
		return app.Fail(app.ExitUnknown, "%s: no such message; notices list shows those there are", o.ID)
	}
	if err != nil && app.ExitCode(err) == app.ExitInternal {
		return app.Fail(app.ExitIO, "%w; the next flush sets aside what is damaged", err)
	}
	if err != nil {
		return err
	}
	m := shownJSON{describe(r, q.Policy), headers, history(r)}
	if o.JSON {
		return term.PrintJSON(q.Program.Stdout, m)
	}
	t := &messageText{term.NewPage(q.Program), q.Program.Now()}
	t.write(&m)
	return t.Print(q.Program.Stdout)
}

// open reads record and headers. A message that is renamed between the two steps
// is looked up again.
func (q *Queue) open(ctx context.Context, id string) (r *spool.Record, headers []headerJSON, err error) {
	for range maxRounds {
		var e spool.Entry
		if e, err = spool.FindOne(ctx, q.Store, spool.ID(id)); err != nil {
			return nil, nil, err
		}
		var body spool.Body
		if r, body, err = q.Store.Peek(ctx, e); err == nil {
			headers, err = readHeaders(io.NewSectionReader(body, 0, body.Size()))
			body.Close()
			return r, headers, err
		}
		if !errors.Is(err, spool.ErrGone) {
			return nil, nil, err
		}
	}
	return nil, nil, err
}

// maxHeader bounds what show reads of a message, in octets.
const maxHeader = 1 << 20

// readHeaders splits the header off a stored message, whose lines end in CRLF, and
// unfolds it (RFC 5322 2.2.3).
func readHeaders(message io.Reader) ([]headerJSON, error) {
	headers := []headerJSON{}
	in := bufio.NewReader(io.LimitReader(message, maxHeader))
	for {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		name, value, colon := strings.Cut(line, ":")
		switch last := len(headers) - 1; {
		case line == "":
			return headers, nil
		case (line[0] == ' ' || line[0] == '\t') && last >= 0:
			headers[last].Value += line
		case colon:
			headers = append(headers, headerJSON{name, strings.TrimSpace(value)})
		}
		if err == io.EOF {
			return headers, nil
		}
	}
}
