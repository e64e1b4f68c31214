// Package app queues one message from standard input. Both programs are built on it, the
// full one (cmd/notices) and the small one (cmd/notices-queue), so that they say the same
// words and end with the same codes.
//
// A program that queues is started for each message, and most of its time is the start:
// the system maps every page that packages touch before main. So nothing here may link
// TLS, HTTP, cobra or what else works before main; TestIsLean of cmd/notices-queue holds
// that.
package app
