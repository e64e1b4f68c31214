package dkim

import (
	"strings"
	"testing"
)

// BenchmarkSign: a notice of 2 KiB, and a message of 50 MiB, with each kind of key.
func BenchmarkSign(b *testing.B) {
	head := "From: notices@library.example\r\nTo: ann@example.net\r\nSubject: x\r\n\r\n"
	line := strings.Repeat("x", 76) + "\r\n"
	for size, message := range map[string]string{"2KiB": head + strings.Repeat(line, 26), "50MiB": head + strings.Repeat(line, 50<<20/78)} {
		for kind := range keys() {
			s := signer(b, kind)
			b.Run(size+"/"+kind, func(b *testing.B) {
				b.SetBytes(int64(len(message)))
				b.ReportAllocs()
				for b.Loop() {
					sign(b, s, message)
				}
			})
		}
	}
}
