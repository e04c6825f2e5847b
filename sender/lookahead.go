package sender

import (
	"math"
	"sync"

	"golang.org/x/sys/unix"
)

// Bounds of what is looked at ahead of a walk. A disk answers many questions at
// once faster than one after the other, and a second core helps where the
// answers are in memory.
const (
	aheadWorkers = 8
	aheadDirs    = 64   // directories that are open ahead
	aheadChunks  = 4    // chunks of the directory that is walked
	aheadNames   = 8192 // of one directory; the walk itself reads the rest
	aheadQueue   = aheadDirs + aheadChunks
	aheadXattrs  = 1 << 10 // bytes of the extended attributes of a name
)

// lookahead reads directories and stats names ahead of a walk. It decides
// nothing: what no worker got to in time the walk does itself.
type lookahead struct {
	w     *walker
	queue chan func()
	quit  chan struct{}
	ended sync.WaitGroup
	mu    sync.Mutex
	open  map[*listing]bool // offered, and not taken by the walk
}

func newLookahead(w *walker) *lookahead {
	a := &lookahead{w: w, queue: make(chan func(), aheadQueue), quit: make(chan struct{}), open: map[*listing]bool{}}
	for range aheadWorkers {
		a.ended.Go(a.work)
	}
	return a
}

func (a *lookahead) work() {
	for {
		select {
		case do := <-a.queue:
			do()
		case <-a.quit:
			return
		}
	}
}

// close ends the workers and closes what the walk did not come to.
func (a *lookahead) close() {
	close(a.quit)
	a.ended.Wait()
	for l := range a.open {
		l.close()
	}
}

// offer gives work to a worker, unless enough of it waits.
func (a *lookahead) offer(do func()) bool {
	select {
	case a.queue <- do:
		return true
	default:
		return false
	}
}

// take returns when the directory has been read. From now on it is the walk's.
func (a *lookahead) take(l *listing) {
	l.do(func() { l.open(math.MaxInt) })
	if l.more {
		l.read(math.MaxInt)
	}
	a.drop(l)
}

func (a *lookahead) drop(l *listing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, l)
}

// leave takes a directory back that the walk does not go on with: workers may be
// looking at its names.
func (a *lookahead) leave(l *listing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[l] = true
}

// takeChunk returns when the names have been looked at.
func (a *lookahead) takeChunk(c *chunk) { c.do(func() { c.read(a.w) }) }

// offerChunks offers the chunks of a directory that follow the one at i.
func (a *lookahead) offerChunks(l *listing, i int) {
	from := i + aheadChunks
	if i == 0 {
		from = 1
	}
	for ; from <= i+aheadChunks && from < len(l.chunks); from++ {
		c := l.chunks[from]
		a.offer(func() { c.try(func() { c.read(a.w) }) })
	}
}

// offerDirs offers the directories in a chunk behind the one at i, as many as may
// be open.
func (a *lookahead) offerDirs(c *chunk, i int) {
	for c.next = max(c.next, i+1); c.next < len(c.nodes); c.next++ {
		if n := &c.nodes[c.next]; n.isDir() {
			if c.dirs[c.next] = a.offerDir(n); c.dirs[c.next] == nil {
				return
			}
		}
	}
}

// offerDir returns the listing that a worker will read, nil if there is no room.
func (a *lookahead) offerDir(n *node) *listing {
	l := newListing(n, unix.O_NOFOLLOW)
	a.mu.Lock()
	full := len(a.open) >= aheadDirs
	if !full {
		a.open[l] = true
	}
	a.mu.Unlock()
	if full {
		return nil
	}
	if !a.offer(func() { a.look(l) }) {
		a.drop(l)
		return nil
	}
	return l
}

// look reads a directory and its first names, and goes on to the directories
// among these. The walk may come by at any time and do the rest itself.
func (a *lookahead) look(l *listing) {
	var first *chunk
	l.try(func() {
		if l.open(aheadNames); len(l.chunks) > 0 {
			first = l.chunks[0]
		}
	})
	if first != nil {
		first.try(func() {
			first.read(a.w)
			a.offerDirs(first, -1)
		})
	}
}
