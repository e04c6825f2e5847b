package receiver

import (
	"math/bits"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// minArena is the smallest piece of memory that a block takes, in bytes.
const minArena = 64 << 10

const hugePage = 2 << 20

// memory gives blocks their arenas from a fixed budget. Arenas come from
// mmap(2), so that what a large one does not use is never touched and what is
// given back goes to the system at once; they are kept by size for the next
// block, as blocks of one session are mostly of one size.
//
// One sender alone may have all of it. Where others want some too, each has an equal
// share: one in bad hands, which opens blocks and never fills them, takes nothing
// from the others' for longer than a block of it needs to be closed.
type memory struct {
	mu     sync.Mutex
	budget int64
	used   int64 // mapped, in use or kept
	kept   map[int][][]byte
	held   map[string]int64     // in use, by sender
	wants  map[string]time.Time // when a sender was refused last
}

// wantsFor is how long a sender that was refused counts as one that wants memory.
const wantsFor = 10 * time.Second

func newMemory(budget int64) *memory {
	return &memory{budget: budget, kept: map[int][][]byte{}, held: map[string]int64{}, wants: map[string]time.Time{}}
}

// class rounds n up to one of eight steps between powers of two.
func class(n int) int {
	n = max(n, minArena)
	step := 1 << max(bits.Len(uint(n-1))-4, 12)
	return (n + step - 1) / step * step
}

// get returns n bytes of undefined content, or nil when the budget is used up, or the
// sender's share of it. A sender that holds nothing gets one block of any size.
func (m *memory) get(n int, sender string, now time.Time) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := class(n)
	var arena []byte
	if held := m.held[sender]; held == 0 || held+int64(size) <= m.share(sender, now) {
		arena = m.take(size)
	}
	if arena == nil {
		m.wants[sender] = now
		return nil
	}
	delete(m.wants, sender)
	m.held[sender] += int64(size)
	return arena[:n]
}

// share is what a sender may hold.
func (m *memory) share(sender string, now time.Time) int64 {
	n := int64(1)
	for name, held := range m.held {
		if name != sender && held > 0 {
			n++
		}
	}
	for name, at := range m.wants {
		if d := now.Sub(at); name != sender && m.held[name] == 0 && d >= 0 && d < wantsFor {
			n++
		}
	}
	return m.budget / n
}

// over returns the sender that holds most, if that is more than its share and more than
// the one that wants some holds.
func (m *memory) over(wants string) (sender string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	most := m.held[wants]
	for name, held := range m.held {
		if held > most && held > m.share(name, m.wants[wants]) {
			sender, most = name, held
		}
	}
	return sender
}

func (m *memory) take(size int) []byte {
	if kept := m.kept[size]; len(kept) > 0 {
		m.kept[size] = kept[:len(kept)-1]
		return kept[len(kept)-1]
	}
	if m.used+int64(size) > m.budget {
		m.release()
	}
	if m.used+int64(size) > m.budget {
		return nil
	}
	arena, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil
	}
	if size >= hugePage {
		_ = unix.Madvise(arena, unix.MADV_HUGEPAGE) // without it, it is only slower
	}
	m.used += int64(size)
	return arena
}

// put takes back what get gave the sender.
func (m *memory) put(arena []byte, sender string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	arena = arena[:cap(arena)]
	m.kept[len(arena)] = append(m.kept[len(arena)], arena)
	m.held[sender] -= int64(len(arena))
}

// release unmaps what is kept for later.
func (m *memory) release() {
	for size, kept := range m.kept {
		for _, arena := range kept {
			if unix.Munmap(arena) == nil {
				m.used -= int64(size)
			}
		}
	}
	clear(m.kept)
}

// close unmaps everything that was given back.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.release()
}
