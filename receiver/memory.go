package receiver

import (
	"math/bits"
	"sync"

	"golang.org/x/sys/unix"
)

// minArena is the smallest piece of memory that a block takes, in bytes.
const minArena = 64 << 10

const hugePage = 2 << 20

// memory gives blocks their arenas from a fixed budget. Arenas come from
// mmap(2), so that what a large one does not use is never touched and what is
// given back goes to the system at once; they are kept by size for the next
// block, as blocks of one session are mostly of one size.
type memory struct {
	mu     sync.Mutex
	budget int64
	used   int64 // mapped, in use or kept
	kept   map[int][][]byte
}

func newMemory(budget int64) *memory { return &memory{budget: budget, kept: map[int][][]byte{}} }

// class rounds n up to one of eight steps between powers of two.
func class(n int) int {
	n = max(n, minArena)
	step := 1 << max(bits.Len(uint(n-1))-4, 12)
	return (n + step - 1) / step * step
}

// get returns n bytes of undefined content, or nil when the budget is used up.
func (m *memory) get(n int) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := class(n)
	if kept := m.kept[size]; len(kept) > 0 {
		m.kept[size] = kept[:len(kept)-1]
		return kept[len(kept)-1][:n]
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
	return arena[:n]
}

// put takes back what get gave.
func (m *memory) put(arena []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	arena = arena[:cap(arena)]
	m.kept[len(arena)] = append(m.kept[len(arena)], arena)
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
