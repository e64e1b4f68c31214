package returns

import (
	"bytes"
	"cmp"
	"io"
	"net/mail"
	"slices"
	"strings"

	"github.com/emersion/go-message"

	"notices/spool"
	"notices/spool/printable"
)

// MaxRead is how many octets of a message Parse reads.
const MaxRead = 1 << 20

// Further bounds of one message.
const (
	maxDepth      = 8
	maxParts      = 1000
	maxRecipients = 10_000
	maxIDs        = 50       // message ids, addressees, queue ids
	maxText       = 64 << 10 // octets of the words
)

// Parse reads a message, from its header on, and says what it is. A damaged one is read as far as
// it can be understood; an error is that of r. Lines may end in LF or CRLF. Before the header, a
// byte order mark, blank lines and the "From " line of an mbox are passed over.
func Parse(r io.Reader) (*Return, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxRead))
	if err != nil {
		return nil, err
	}
	w := walker{parts: maxParts}
	return w.message(raw, 0), nil
}

// walker holds the parts that may still be looked at.
type walker struct{ parts int }

// found is what the parts of one message have.
type found struct {
	header   header
	report   bool      // the message itself is a multipart/report
	status   statuses  // of its delivery status part
	text     string    // the first words
	labelled string    // a delivery status that is labelled as text
	html     string    // the first words, if they are in HTML
	original header    // of the message that it returns
	inner    []*Return // messages that are attached
	other    Kind      // what a part says that it is: Receipt or Complaint
}

// message takes a whole message apart and judges it.
func (w *walker) message(raw []byte, depth int) *Return {
	raw = skipBlank(raw)
	if bytes.HasPrefix(raw, []byte("From ")) || bytes.HasPrefix(raw, []byte(">From ")) {
		_, raw = cutLine(raw)
	}
	h, body := splitHeader(raw)
	mediaType, _ := h.mediaType()
	f := found{header: h, report: mediaType == "multipart/report"}
	w.part(&f, h, body, depth)
	return f.judge()
}

// part looks at one part, and at those inside it.
func (w *walker) part(f *found, h header, body []byte, depth int) {
	if w.parts--; w.parts < 0 || depth > maxDepth {
		return
	}
	mediaType, params := h.mediaType()
	switch mediaType {
	case "message/delivery-status", "message/global-delivery-status":
		f.status.take(h, decode(h, body))
	case "message/disposition-notification", "message/global-disposition-notification":
		f.other = Receipt
	case "message/feedback-report":
		f.other = Complaint
	case "message/rfc822", "message/global":
		w.attached(f, decode(h, body), depth+1)
	case "text/rfc822-headers", "message/global-headers", "message/rfc822-headers":
		f.returned(splitOnly(decode(h, body)))
	case "text/plain", "text":
		f.plain(toText(h, body))
	case "text/html":
		if f.html == "" {
			f.html = fromHTML(toText(h, body))
		}
	default:
		if strings.HasPrefix(mediaType, "multipart/") {
			w.multipart(f, body, params["boundary"], depth+1)
		}
	}
}

// skipBlank cuts off what editors and programs put before a header.
func skipBlank(raw []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(raw, "\r\n"), []byte("\ufeff")), "\r\n")
}

// plain notes a part with words: the first one, and what is a delivery status.
func (f *found) plain(text string) {
	if f.text == "" {
		f.text = text
	}
	if f.labelled == "" && strings.Contains(strings.ToLower(text), "final-recipient:") {
		f.labelled = text
	}
}

func (w *walker) multipart(f *found, body []byte, boundary string, depth int) {
	if boundary == "" {
		f.plain(printable.Cut(string(body), maxText)) // damaged; the words may still say it all
		return
	}
	for part := range splitParts(body, boundary) {
		if w.parts <= 0 {
			return
		}
		h, inner := splitHeader(part)
		w.part(f, h, inner, depth)
	}
}

// attached looks at a message in a message: in a return, the one that it returns. In other mail,
// it may be a return that somebody forwarded, a list manager for example.
func (w *walker) attached(f *found, raw []byte, depth int) {
	if w.parts--; w.parts < 0 || depth > maxDepth {
		return
	}
	f.returned(splitOnly(raw))
	if len(f.status.recipients) == 0 {
		f.inner = append(f.inner, w.message(raw, depth))
	}
}

// returned notes the header of the message that is returned: the first one.
func (f *found) returned(h header) {
	if f.original.empty() {
		f.original = h
	}
}

// judge decides what the message is.
func (f *found) judge() *Return {
	r := &Return{Kind: NotReturn}
	if len(f.status.recipients) == 0 && f.labelled != "" {
		f.status.take(header{}, []byte(f.labelled)) // a part that lost its type
	}
	f.status.finish()
	forwarded := slices.IndexFunc(f.inner, func(in *Return) bool {
		return (in.Kind == Failed || in.Kind == Delayed) && in.hasID() // who forwards it can write anything
	})
	switch {
	case !f.report && f.header.vacation():
		r.Kind = AutoReply
	case len(f.status.recipients) > 0 && (f.report || f.fromMailSystem()):
		r.Form, r.Recipients = "dsn", f.status.recipients
		f.addWords(r)
	case f.other == Complaint:
		r.Kind = Complaint
	case f.readForms(r):
	case f.other != "":
		r.Kind = f.other
	case forwarded >= 0 && !f.header.autoReply():
		return f.inner[forwarded]
	case f.readWords(r):
	case f.header.autoReply():
		r.Kind = AutoReply
	}
	for i := range r.Recipients {
		r.Kind = worse(r.Kind, r.Recipients[i].Kind)
	}
	f.identify(r)
	return r
}

// addWords takes from the text what the delivery status lacks: the words of the server, and the
// address that an alias or a forward was followed from.
func (f *found) addWords(r *Return) {
	if !slices.ContainsFunc(r.Recipients, func(c Recipient) bool { return c.Text == "" || c.Original == "" }) {
		return
	}
	s := scan{}
	s.read(f.text)
	said := map[string]Recipient{}
	for _, n := range s.finish(f.header) {
		said[strings.ToLower(n.Final)] = n
	}
	for i := range r.Recipients {
		c := &r.Recipients[i]
		n := said[strings.ToLower(c.Final)]
		c.Original = cmp.Or(c.Original, n.Original)
		if c.Text == "" && n.Text != "" {
			c.Text, c.Code = n.Text, n.Code
			if !specific(c.Status) {
				c.Status = cmp.Or(n.Status, c.Status)
			}
		}
	}
}

// worse is the kind of a return whose recipients are of different kinds.
func worse(a, b Kind) Kind {
	for _, k := range []Kind{Failed, Delayed, Succeeded} {
		if a == k || b == k {
			return k
		}
	}
	return a
}

// identify fills in what a return is matched by.
func (f *found) identify(r *Return) {
	if date, err := mail.ParseDate(f.header.get("Date")); err == nil {
		r.At = date.UTC()
	}
	if from := f.header.addresses("From"); len(from) > 0 {
		r.From = from[0]
	}
	r.ReportingMTA, r.EnvelopeID = f.status.reportingMTA, f.status.envelopeID
	r.QueueID = f.status.queueID
	r.MessageIDs = f.original.messageIDs("Message-Id")
	if len(r.MessageIDs) == 0 {
		r.MessageIDs = f.status.messageIDs
	}
	if len(r.MessageIDs) == 0 {
		r.MessageIDs = f.header.messageIDs("In-Reply-To", "References")
	}
	r.Addressees = append(f.header.addresses("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"),
		f.original.addresses("Return-Path", "Sender", "From")...)
	slices.Sort(r.Addressees)
	r.Addressees = slices.Compact(r.Addressees)
	for _, address := range r.Addressees {
		if id := verp(address); id != "" && !slices.Contains(r.IDs, id) {
			r.IDs = append(r.IDs, id)
		}
	}
}

// verp is the queue id in an address, LOCAL+ID@DOMAIN, or empty. Some servers write addresses in
// lower case.
func verp(address string) spool.ID {
	local := address[:max(0, strings.LastIndexByte(address, '@'))]
	id := spool.ID(strings.ToUpper(local[strings.LastIndexByte(local, '+')+1:]))
	if len(id) == len(local) || !id.Valid() || !id.Generated() {
		return ""
	}
	return id
}

// decode undoes the transfer encoding of a part. What follows an error in it is left out.
func decode(h header, body []byte) []byte {
	e, err := message.New(h.Header, bytes.NewReader(body))
	if e == nil || message.IsUnknownEncoding(err) {
		return body
	}
	// What was read before an error in the encoding is good.
	decoded, err := io.ReadAll(e.Body)
	if err != nil && len(decoded) == 0 {
		return body
	}
	return decoded
}
