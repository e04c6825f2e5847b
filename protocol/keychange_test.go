package protocol

import (
	"bytes"
	"crypto/ed25519"
	"testing"
)

func testSigner(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// testKeyChange is always the same: Ed25519 signs without chance.
func testKeyChange() KeyChange {
	return NewKeyChange("prod", 1763859600000, testSigner(1), testSigner(2))
}

func TestKeyChangeEveryBitCounts(t *testing.T) {
	c := testKeyChange()
	old := testSigner(1).Public().(ed25519.PublicKey)
	if !c.Verify(old) {
		t.Fatal("a good key change does not verify")
	}
	good := AppendKeyChange(nil, &c)[RecordHeaderSize:]
	for i := range 8 * len(good) {
		body := bytes.Clone(good)
		body[i/8] ^= 1 << (i % 8)
		if c, err := ParseKeyChange(body); err == nil && c.Verify(old) {
			t.Errorf("bit %d does not count", i)
		}
	}
}

// A signature of another kind by the same keys must not pass for a key change, nor
// that of one role for the other.
func TestKeyChangeRoles(t *testing.T) {
	old, next, other := testSigner(1), testSigner(2), testSigner(3)
	pub := old.Public().(ed25519.PublicKey)
	for name, change := range map[string]func(*KeyChange){
		"signed by the new key":           func(c *KeyChange) { copy(c.Signature[:], ed25519.Sign(next, c.signed())) },
		"proven by the old key":           func(c *KeyChange) { copy(c.Proof[:], ed25519.Sign(old, c.proven())) },
		"a key that the offerer lacks":    func(c *KeyChange) { copy(c.New[:], other.Public().(ed25519.PublicKey)); resign(c, old) },
		"of another sender":               func(c *KeyChange) { c.Sender = "dev" },
		"the proof in place of signature": func(c *KeyChange) { c.Signature = c.Proof },
		"signed as it is proven":          func(c *KeyChange) { copy(c.Signature[:], ed25519.Sign(old, c.proven())) },
		"signed without the label":        func(c *KeyChange) { copy(c.Signature[:], ed25519.Sign(old, c.signed()[len(keyChangeInfo)+1:])) },
	} {
		c := testKeyChange()
		if change(&c); c.Verify(pub) {
			t.Errorf("%s: it verifies", name)
		}
	}
	c := testKeyChange()
	if c.Verify(other.Public().(ed25519.PublicKey)) || c.Verify(nil) || c.Verify(pub[:31]) {
		t.Error("it verifies with a key that did not sign")
	}
}

func resign(c *KeyChange, old ed25519.PrivateKey) {
	copy(c.Signature[:], ed25519.Sign(old, c.signed()))
}
