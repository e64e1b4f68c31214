package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/spool"
)

type showOptions struct {
	ID   string
	JSON bool
}

func (a *cli) showCommand() *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use:               "show ID [--json]",
		Short:             "Show one message: its recipients, its headers and what has happened to it",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("show takes the id of one message, not %d; notices list shows the ids", len(args))
			}
			return nil
		},
		RunE: a.does(func(ctx context.Context, args []string) error {
			o.ID = args[0]
			return a.withQueue(func(q *queue) error { return a.show(ctx, q, o) })
		}),
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
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

func (a *cli) show(ctx context.Context, q *queue, o showOptions) error {
	r, headers, err := q.open(ctx, o.ID)
	if errors.Is(err, spool.ErrGone) {
		return app.Fail(app.ExitUnknown, "%s: no such message; notices list shows those there are", o.ID)
	}
	if err != nil && exitCode(err) == app.ExitInternal {
		return app.Fail(app.ExitIO, "%w; the next flush sets aside what is damaged", err)
	}
	if err != nil {
		return err
	}
	m := shownJSON{describe(r, q.policy), headers, history(r)}
	if o.JSON {
		return a.printJSON(m)
	}
	return a.printMessage(m)
}

// open reads record and headers. A message that is renamed between the two steps
// is looked up again.
func (q *queue) open(ctx context.Context, id string) (r *spool.Record, headers []headerJSON, err error) {
	for range tries {
		var e spool.Entry
		if e, err = spool.FindOne(ctx, q.store, spool.ID(id)); err != nil {
			return nil, nil, err
		}
		var body spool.Body
		if r, body, err = q.store.Peek(ctx, e); err == nil {
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
