package intake

// CheckEnvelope reports what is wrong with the sender and the recipients of a request,
// for a conversation in which they come before the message.
func (in *Intake) CheckEnvelope(r Request) error {
	j := &job{in: in, r: r, now: in.now()}
	return j.arguments()
}
