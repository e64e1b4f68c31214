// Package fairqueue is a queue that serves its owners in turn (round robin, the simplest fair
// queuing: RFC 970), so that one who has ten thousand items waiting does not hold up one who
// has three. Items of one owner keep their order.
package fairqueue

import (
	"context"
	"sync"
)

// Queue holds items, each of which belongs to an owner. All methods are safe for concurrent use.
type Queue[T any] struct {
	mu     sync.Mutex
	owners map[string]*line[T] // those who have items waiting
	turn   []*line[T]          // the same, the next one first
	n      int                 // items
	// ready holds a token if there may be items and nobody was woken for them yet.
	ready chan struct{}
}

// line is what waits of one owner.
type line[T any] struct {
	owner string
	items []T
}

// New makes an empty queue.
func New[T any]() *Queue[T] {
	return &Queue[T]{owners: map[string]*line[T]{}, ready: make(chan struct{}, 1)}
}

// Add puts an item behind those of its owner. An owner who had none waiting is served after all
// others have been served once.
func (q *Queue[T]) Add(owner string, item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.owners[owner]
	if l == nil {
		l = &line[T]{owner: owner}
		q.owners[owner] = l
		q.turn = append(q.turn, l)
	}
	l.items = append(l.items, item)
	q.n++
	q.wake()
}

// Take removes the next item. It waits for one; false: ctx ended.
func (q *Queue[T]) Take(ctx context.Context) (item T, ok bool) {
	for {
		if item, ok = q.take(ctx); ok || ctx.Err() != nil {
			return item, ok
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
		}
	}
}

// take is Take without waiting. It passes the token on, if there is more to take.
func (q *Queue[T]) take(ctx context.Context) (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.turn) == 0 {
		return item, false
	}
	if ctx.Err() == nil {
		item, ok = q.next(), true
	}
	if len(q.turn) > 0 {
		q.wake()
	}
	return item, ok
}

// next removes the first item of the owner whose turn it is.
func (q *Queue[T]) next() (item T) {
	l := q.turn[0]
	q.turn[0] = nil // for the garbage collector
	q.turn = q.turn[1:]
	q.n--
	var none T
	item, l.items[0] = l.items[0], none
	if l.items = l.items[1:]; len(l.items) > 0 {
		q.turn = append(q.turn, l)
	} else {
		delete(q.owners, l.owner)
	}
	return item
}

// Len is how many items wait, and how many owners they have.
func (q *Queue[T]) Len() (items, owners int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n, len(q.owners)
}

func (q *Queue[T]) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
