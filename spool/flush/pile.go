package flush

import "notices/spool"

// pile is a list of entries that grows without being copied: of a million due
// messages the old and the new copy would be more than the messages.
type pile struct {
	parts [][]spool.Entry
	n     int
}

const pilePart = 4096

func pileOf(entries []spool.Entry) *pile {
	p := &pile{}
	for _, e := range entries {
		p.add(e)
	}
	return p
}

func (p *pile) add(e spool.Entry) {
	last := p.n / pilePart
	if last == len(p.parts) {
		// The first part grows as it needs: most runs find little.
		p.parts = append(p.parts, make([]spool.Entry, 0, min(pilePart, 8+last*pilePart)))
	}
	p.parts[last] = append(p.parts[last], e)
	p.n++
}

func (p *pile) at(i int) *spool.Entry { return &p.parts[i/pilePart][i%pilePart] }

// shuffle orders the pile by chance; random is that of Options.
func (p *pile) shuffle(random func(n int64) int64) {
	for i := p.n - 1; i > 0; i-- {
		a, b := p.at(i), p.at(int(random(int64(i)+1)))
		*a, *b = *b, *a
	}
}

// take removes what pick holds for and returns it.
func (p *pile) take(pick func(*spool.Entry) bool) (taken []spool.Entry) {
	n := 0
	for i := range p.n {
		switch e := p.at(i); {
		case pick(e):
			taken = append(taken, *e)
		default:
			*p.at(n) = *e
			n++
		}
	}
	p.n = n
	return taken
}
