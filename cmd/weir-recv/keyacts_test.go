package main

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/keyoffer"
	"weir/internal/keys"
	"weir/internal/manifest"
	"weir/internal/vault"
	"weir/protocol"
)

// keyOf is one of the few signing keys that there are in a run. The first one is
// trusted from the start.
func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n % 4}, ed25519.SeedSize))
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// keyChange offers a key, signed as it must be or otherwise.
func (a *attacker) keyChange() {
	how, old, next := a.byte(), keyOf(a.byte()), keyOf(a.byte())
	name := "prod"
	if how%8 == 1 {
		name = []string{"other", "..", "", "prod/x"}[a.byte()%4]
	}
	c := protocol.NewKeyChange(name, a.number(), old, next)
	switch how % 8 {
	case 2:
		c.Signature[a.byte()%64] ^= 1
	case 3:
		c.Proof[a.byte()%64] ^= 1
	case 4:
		c.New[a.byte()%32] ^= 1
	case 5:
		c.Old[a.byte()%8] ^= 1
	case 6:
		c.Counter += a.number() // what was signed is another
	}
	if name == "prod" && a.isTrusted(public(old)) && c.Verify(public(old)) {
		a.offered[string(c.New[:])] = true
	}
	a.send(protocol.AppendKeyChange(nil, &c))
}

func (a *attacker) isTrusted(key ed25519.PublicKey) bool {
	return slices.ContainsFunc(a.trusted, func(k ed25519.PublicKey) bool { return k.Equal(key) })
}

// changeOver signs with another of the keys from now on, whether the vault trusts it
// or not.
func (a *attacker) changeOver() {
	a.signer = keyOf(a.byte())
	a.open(shape)
}

// operate lets the operator accept what is offered, or revoke a key. Nobody else
// makes a key trusted.
func (a *attacker) operate() {
	revoke := a.byte()%4 == 3
	a.end()
	defer a.start()
	if n := len(a.trusted); revoke && n > 1 {
		a.revoked = append(a.revoked, a.trusted[0])
		a.trusted = a.trusted[1:]
		return
	}
	o, err := keyoffer.Read(filepath.Join(a.dir, "vault"), "prod")
	if err != nil {
		return // nothing is offered
	}
	key := a.offerOf(o)
	if !a.isTrusted(key) && !slices.ContainsFunc(a.revoked, func(k ed25519.PublicKey) bool { return k.Equal(key) }) {
		a.trusted = append(a.trusted, key)
	}
}

// offerOf returns the key of an offer that the vault keeps, which must have been made
// by somebody who could.
func (a *attacker) offerOf(o keyoffer.Offer) ed25519.PublicKey {
	a.t.Helper()
	pub, err := keys.ParseSender(o.Key)
	if err != nil || !a.offered[string(pub)] {
		a.t.Fatalf("the vault keeps an offer that no trusted key made: %q, %v", o.Key, err)
	}
	return pub
}

// inspectKeys holds that keys became trusted by the operator alone.
func (a *attacker) inspectKeys() {
	a.t.Helper()
	dir := filepath.Join(a.dir, "vault")
	if o, err := keyoffer.Read(dir, "prod"); err == nil {
		a.offerOf(o)
	}
	entries, err := os.ReadDir(filepath.Join(dir, ".weir", "offers"))
	a.must(err)
	for _, e := range entries {
		if e.Name() != "prod.json" {
			a.t.Errorf("an offer lies in %s", e.Name())
		}
	}
	signers, err := os.ReadFile(filepath.Join(dir, ".weir", "allowed_signers"))
	a.must(err)
	for n := range byte(4) {
		key := public(keyOf(n))
		known := a.isTrusted(key) || slices.ContainsFunc(a.revoked, func(k ed25519.PublicKey) bool { return k.Equal(key) })
		if listed := strings.Contains(string(signers), manifest.AllowedSigner("prod", key)); listed != known {
			a.t.Errorf("key %d is among the signers: %v, the operator knows it: %v", n, listed, known)
		}
	}
}

// signedByTrusted holds that a restore point is signed by a key that is trusted when
// it becomes whole.
func (a *attacker) signedByTrusted(ref string) {
	f, err := vault.Find(filepath.Join(a.dir, "vault"), ref)
	if err != nil || !a.isTrusted(f.Signer()) {
		a.t.Errorf("%s was published, signed by a key that is not trusted: %v", ref, err)
	}
}

// lanes lets the frames of a block go over several lanes, some of them over such as
// there are not.
func (a *attacker) lanes() {
	a.more, a.oddLane = int(a.byte()%9), a.byte()%4 == 0
	a.data()
	a.goodSnapshot()
	a.more, a.oddLane = 0, false
}

// abandoned says of snapshots that they will never be finished.
func (a *attacker) abandoned() {
	var all protocol.Abandoned
	for range a.byte() % 8 {
		all.Snapshots = append(all.Snapshots, a.context())
	}
	a.send(protocol.AppendAbandoned(nil, &all))
}

// filler puts records that say nothing between others, not all of them of zeros.
func (a *attacker) filler() {
	c, o := a.context(), objectOf(a.byte())
	b := protocol.AppendFiller(protocol.AppendContext(nil, &c), protocol.RecordHeaderSize+int(a.byte()))
	if a.byte()%2 == 0 {
		b[len(b)-1] = a.byte()
	}
	part := o.content[:min(len(o.content), 100)]
	a.send(protocol.AppendData(b, &protocol.Data{Object: o.id, Bytes: part}))
}

// compressed sends content in fewer bytes than it has, or claims to.
func (a *attacker) compressed() {
	c, o := a.context(), objectOf(a.byte())
	r := protocol.Compressed{Object: o.id, Offset: a.number(), Length: uint32(len(o.content)), Frame: zip.EncodeAll(o.content, nil)}
	switch a.byte() % 4 {
	case 0:
		r.Length = uint32(a.number())
	case 1:
		r.Frame = zip.EncodeAll(make([]byte, 1<<20), nil)
	case 2:
		r.Frame = a.bytes(int(a.byte()))
	}
	a.send(protocol.AppendCompressed(protocol.AppendContext(nil, &c), &r))
}

// calibrate tells of rates that nobody sends at.
func (a *attacker) calibrate() {
	c := protocol.Calibration{Session: a.sealer.Session(), First: a.number()}
	for range a.byte() % 70 {
		c.Steps = append(c.Steps, protocol.CalibrationStep{Rate: a.number(), Frames: a.number()})
	}
	a.send(protocol.AppendCalibration(nil, &c))
}

// beside lets restore points be built beside what comes from now on, or not.
func (a *attacker) beside() {
	a.apart = !a.apart
	a.restart()
}
