package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"weir/internal/manifest"
	"weir/internal/vault"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir-vault": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/scripts/weir-vault",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           func(name string) (bool, error) { return name == "root" && os.Geteuid() == 0, nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"publish": publish, "exits": exits, "spoil": spoil,
		},
	})
}

// exits runs a program that has to end with a code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE program [args...]")
	}
	err := ts.Exec("sh", append([]string{"-c", `"$@"; test $? = "$0"`}, args...)...)
	ts.Check(err)
}

// spoil flips a bit in the middle of the only file that a pattern matches.
func spoil(ts *testscript.TestScript, _ bool, args []string) {
	paths, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(paths) != 1 {
		ts.Fatalf("%s matches %v", args[0], paths)
	}
	data, err := os.ReadFile(paths[0])
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.Chmod(paths[0], 0o644))
	ts.Check(os.WriteFile(paths[0], data, 0o644))
	ts.Check(os.Chmod(paths[0], 0o444))
}

// publish puts the files of a directory into the vault of the script, as snapshot
// NUMBER of a source, as a receiver does. With a lock: publish DIR SOURCE NUMBER LOCK.
// Files called *.age count as sealed.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	number, err := strconv.ParseUint(args[2], 10, 64)
	ts.Check(err)
	opt := vault.Options{Signers: map[string][]ed25519.PublicKey{"prod": {scriptKey.Public().(ed25519.PublicKey)}}}
	if len(args) > 3 {
		lock, err := time.ParseDuration(args[3])
		ts.Check(err)
		opt.Retention = func(string, string) vault.Retention { return vault.Retention{Lock: lock} }
	}
	v, err := vault.Open(ts.MkAbs("vault"), opt)
	for end := time.Now().Add(5 * time.Second); errors.Is(err, vault.ErrInUse) && time.Now().Before(end); time.Sleep(time.Millisecond) {
		v, err = vault.Open(ts.MkAbs("vault"), opt) // a program that another script starts has the lock until it is one
	}
	ts.Check(err)
	s := vault.Snapshot{Sender: "prod", Source: args[1], Number: number, Taken: time.Date(2026, 1, 1, 0, 0, int(number), 0, time.UTC)}
	ts.Check(v.Touch(s))
	text, w := &bytes.Buffer{}, (*manifest.Writer)(nil)
	w, err = manifest.NewWriter(text, manifest.Header{Sender: s.Sender, Source: s.Source, Number: number, Taken: s.Taken})
	ts.Check(err)
	files, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), f.Name()))
		ts.Check(err)
		sum := sha256.Sum256(data)
		e := manifest.Entry{Path: f.Name(), Kind: manifest.File, Size: int64(len(data)), SHA256: sum, Object: [16]byte(sum[:16]), Mode: 0o644}
		if filepath.Ext(f.Name()) == ".age" {
			e.Plain = 1
		}
		ts.Check(w.Add(&e))
		store(ts, v, s, vault.ObjectID(sum[:16]), data)
	}
	_, err = w.Close()
	ts.Check(err)
	zip, err := zstd.NewWriter(nil)
	ts.Check(err)
	object, id := zip.EncodeAll(text.Bytes(), nil), vault.ObjectID{1}
	binary.BigEndian.PutUint64(id[8:], number)
	copy(id[1:], s.Source)
	store(ts, v, s, id, object)
	ts.Check(v.CloseSnapshot(s, vault.ManifestRef{
		Object: id, ObjectSize: int64(len(object)), Size: int64(text.Len()), SHA256: sha256.Sum256(text.Bytes()),
		Signature: manifest.Sign(scriptKey, w.Digest()), PublicKey: scriptKey.Public().(ed25519.PublicKey),
	}))
	ts.Check(v.Settle(true))
	for v.Building() { // on a busy machine
		ts.Check(v.Settle(true))
	}
	ts.Check(v.Close())
}

var scriptKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func store(ts *testscript.TestScript, v *vault.Vault, s vault.Snapshot, id vault.ObjectID, data []byte) {
	ts.Check(v.WriteRange(s, id, 0, data))
	ts.Check(v.EndObject(s, id, int64(len(data)), sha256.Sum256(data), nil))
}
