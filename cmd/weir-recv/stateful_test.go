package main

import (
	"testing"
)

// FuzzReceiver plays a compromised sender: it has the keys, and the fuzzer writes
// what it does with them. A run is a list of acts; each takes what it needs from
// the script. Whatever it was, in the end the vault holds nothing but whole
// restore points that the sender signed, nothing that was there has changed,
// nothing lies outside of the sender's folder, and memory and disk are bounded.
func FuzzReceiver(f *testing.F) {
	for _, seed := range seedScripts {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > maxScript {
			return
		}
		a := newAttacker(t, script)
		for a.acts = 0; len(a.script) > 0 && a.acts < maxActs; a.acts++ {
			acts[int(a.byte())%len(acts)](a)
		}
		a.end()
		a.inspect()
	})
}

const (
	maxScript = 2048 // bytes of a script
	maxActs   = 60
)

// acts are what an attacker may do next.
var acts = []func(*attacker){
	(*attacker).goodSnapshot,
	(*attacker).badSnapshot,
	(*attacker).data,
	(*attacker).endOfObject,
	(*attacker).manifestRecord,
	(*attacker).heartbeat,
	(*attacker).rawRecords,
	(*attacker).oddFrame,
	(*attacker).letTimePass,
	(*attacker).restart,
	(*attacker).replay,
	(*attacker).newSession,
	(*attacker).flipBit,
	(*attacker).loseFrames,
	(*attacker).rawDatagram,
	(*attacker).keyChange,
	(*attacker).changeOver,
	(*attacker).operate,
	(*attacker).lanes,
	(*attacker).abandoned,
	(*attacker).filler,
	(*attacker).compressed,
	(*attacker).calibrate,
	(*attacker).beside,
}

// seedScripts begin the corpus: each act once, and some stories.
var seedScripts = []string{
	"\x00\x00\x01\x07\x08\x05",                                                         // a good snapshot, and time passes
	"\x00\x00\x01\x07\x00\x00\x01\x03\x00\x00\x02\x05\x08\x09",                         // the same number with other content, and the next
	"\x01\x00\x01\x07\x00\x10a\x01\x00\x02\x07\x04\x03\x08\x05",                        // manifests that were tampered with
	"\x0d\x03\x00\x01\x01\x07\x09\x00\x01\x01\x07\x08\x05",                             // loss, a restart, and the rest
	"\x02\x01\x3e\x10\x03\x01\x28\x01\x08\x05\x09\x03\x01\x00\x00\x02\x01\x3f\x10",     // ranges and sizes at the ends
	"\x06\x20\x01\x00\x00\x00\x0c\x03etc\x00\x00\x00\x00\x00\x00\x00\x01",              // records as bytes
	"\x07\x00\x0c\xff\x07\x01\x14\x80\x07\x02\x1d\x01\x0a\x01\x0c\x02\x08\x09",         // headers changed under a good seal
	"\x0b\xff\xff\xff\xff\x0b\x01\x01\x01\x01\x00\x00\x01\x07\x05\x04\x09\x0e\x20",     // sessions with odd shapes
	"\x0f\x00\x00\x01\x05\x11\x00\x10\x01\x00\x00\x01\x07\x08\x05",                     // a key is offered, accepted, and signs
	"\x0f\x00\x00\x01\x05\x10\x01\x00\x00\x01\x07\x08\x05\x0f\x01\x01\x02\x05",         // one signs before it is accepted, and offers another
	"\x0f\x00\x00\x01\x05\x11\x00\x11\x03\x00\x00\x01\x07\x08\x05",                     // the old one is revoked, and signs
	"\x12\x02\x00\x00\x01\x00\x05\x00\x00\x02\x07\x08\x05\x12\x08\x00\x00\x00\x00\x00", // several lanes, and too many
	"\x02\x00\x01\x00\x00\x13\x01\x00\x01\x08\xff\x00\x00\x01\x07\x08\x05",             // abandoned, and finished after all
	"\x14\x00\x01\x02\x10\x00\x07\x15\x00\x01\x01\x00\x01\x16\x01\x02\x40\x40",         // filler, compressed, calibration
	"\x17\x00\x00\x01\x07\x08\x05\x08\x05\x08\x05\x01\x00\x01\x07\x00\x10\x08\x05",     // built beside
	"\x05\x02\x00\x3e\x05\x01\x01\x00\x04\x00\x01\x07\x02\x00\x00\x01\x07\x08\xff",     // heartbeats of the future
}

func TestSeedScriptsDoSomething(t *testing.T) {
	a := newAttacker(t, []byte(seedScripts[0])[1:])
	a.goodSnapshot()
	a.end()
	a.inspect()
	if len(a.published) != 1 {
		t.Fatalf("%d restore points of a good snapshot: the fuzz of the receiver tests nothing", len(a.published))
	}
}

// TestSeedScriptsChangeKeys holds that the acts about keys reach what they are for: a
// key that is offered signs nothing before the operator has accepted it, and a key
// that is revoked nothing any more.
func TestSeedScriptsChangeKeys(t *testing.T) {
	a := newAttacker(t, []byte("\x00\x00\x01\x05"+"\x01"+"\x00\x00\x07"+"\x00"+"\x01"+"\x00\x01\x07"+"\x03"+"\x00"+"\x00\x02\x07"))
	a.keyChange()
	a.changeOver()
	a.goodSnapshot() // by a key that nobody has accepted
	a.operate()
	if len(a.published) != 0 || len(a.trusted) != 2 {
		t.Fatalf("%d restore points before the key was accepted, %d keys are trusted then", len(a.published), len(a.trusted))
	}
	a.changeOver()
	a.goodSnapshot()
	a.operate()
	if len(a.published) != 1 || len(a.revoked) != 1 {
		t.Fatalf("%d restore points by the accepted key, %d keys are revoked", len(a.published), len(a.revoked))
	}
	a.changeOver()
	a.goodSnapshot() // by the revoked key
	a.end()
	a.inspect()
	if len(a.published) != 1 {
		t.Fatalf("%d restore points after the first key was revoked", len(a.published))
	}
}

// TestSeedScriptsUseLanes holds that what goes over several lanes arrives.
func TestSeedScriptsUseLanes(t *testing.T) {
	a := newAttacker(t, []byte("\x02\x01"+"\x00\x00\x03\x00\x00"+"\x00\x01\x07"))
	a.lanes()
	a.end()
	a.inspect()
	if len(a.published) != 1 {
		t.Fatalf("%d restore points of a good snapshot over three lanes", len(a.published))
	}
}
