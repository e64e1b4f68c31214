// Package piece keeps the buffers that messages are read into, because a service takes in a thousand
// messages a second.
package piece

import "sync"

// Size is the length of a buffer in octets: how much of a message is read and written at once.
const Size = 64 << 10

var pool = sync.Pool{New: func() any {
	p := make([]byte, 0, Size)
	return &p
}}

// Get is an empty buffer. What is put behind its length may hold another message.
func Get() []byte { return (*pool.Get().(*[]byte))[:0] }

// Put ends the use of a buffer that Get gave.
func Put(p []byte) { pool.Put(&p) }
