// Package app is the way in: what a process needs that queues one message from
// standard input, and nothing that starts slowly. Two programs are built on it, the
// whole one (cmd/notices) and the quick front of it (cmd/notices-queue), so that
// both say the same words, take the same options and end with the same codes.
//
// An enqueue is a process a message, and most of its time is the start: the system
// maps every page that the packages' own start-up touches. So nothing here may link
// TLS, HTTP, cobra or what does work before main; TestFrontIsLean of
// cmd/notices-queue holds that.
package app
