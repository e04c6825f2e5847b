package report

import (
	"time"

	"weir/internal/status"
	"weir/internal/vault"
)

const (
	// missingFiles bounds the files that are named of a snapshot.
	missingFiles = 10
	// missingMost bounds the snapshots of which it is found out what they lack;
	// each costs a look at its manifest.
	missingMost = 50
)

// missing finds out what snapshots lack, and remembers it while nothing changes.
type missing struct {
	dir   string
	known map[shape]status.Missing
}

// shape is what of a snapshot changes when what it lacks does.
type shape struct {
	ref                 string
	files, lacks, bytes int64
	building            bool
}

func shapeOf(i *vault.Info) shape {
	return shape{i.Snapshot().Ref(), i.Files, i.MissingFiles, i.MissingBytes, i.Building}
}

func newMissing(dir string) *missing {
	return &missing{dir: dir, known: map[shape]status.Missing{}}
}

// of returns what the snapshots lack of which nothing arrives.
func (m *missing) of(infos []vault.Info, moving []status.Transfer) []status.Missing {
	arrives := map[string]bool{}
	for i := range moving {
		arrives[moving[i].Snapshot] = true
	}
	all, now := []status.Missing{}, map[shape]status.Missing{}
	for i := range infos {
		info := infos[i]
		if info.State == vault.Whole || info.State == vault.Abandoned || arrives[info.Snapshot().Ref()] {
			continue
		}
		found, ok := m.known[shapeOf(&info)]
		if !ok && len(now) < missingMost {
			found = m.look(&info)
			ok = true
		}
		if ok {
			now[shapeOf(&info)] = found
		} else {
			found = outline(&info)
		}
		all = append(all, found)
	}
	m.known = now
	return all
}

func outline(i *vault.Info) status.Missing {
	return status.Missing{
		Snapshot: i.Snapshot().Ref(), Since: i.Received.UTC().Truncate(time.Second), Manifest: i.Building || i.Files > 0 || i.Bytes > 0, Building: i.Building,
		Files: i.MissingFiles, Bytes: i.MissingBytes, First: []status.MissingFile{},
	}
}

// look reads the manifest, as far as it is there.
func (m *missing) look(i *vault.Info) status.Missing {
	out := outline(i)
	if i.Building {
		return out // nobody is to send again what is there
	}
	found, err := vault.Lookup(m.dir, *i)
	if err != nil {
		return out // published, or dropped, meanwhile
	}
	out.Manifest = found.Manifest != ""
	for f, err := range vault.Missing(m.dir, found) {
		if err != nil || len(out.First) >= missingFiles {
			break
		}
		lacks := int64(0)
		for _, r := range f.Ranges {
			lacks += r[1]
		}
		out.First = append(out.First, status.MissingFile{Path: f.Path, Bytes: lacks})
	}
	// Without a code, or with more than one, people are told to ask weir-vault.
	if codes, err := vault.Repairs(m.dir, []vault.Found{found}, vault.Typed); err == nil && len(codes) == 1 {
		out.Code = codes[0].Code
	}
	return out
}
