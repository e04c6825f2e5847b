package manifest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func sign(message []byte) (ed25519.PublicKey, [64]byte) {
	return key.Public().(ed25519.PublicKey), Sign(key, sha512.Sum512(message))
}

func TestSignature(t *testing.T) {
	message := []byte("a manifest")
	pub, sig := sign(message)
	digest := sha512.Sum512(message)
	if !Verify(pub, digest, sig) {
		t.Error("Verify refuses a good signature")
	}
	for _, bit := range []int{0, 200, 511} {
		bad := sig
		bad[bit/8] ^= 1 << (bit % 8)
		if Verify(pub, digest, bad) {
			t.Errorf("Verify takes a signature with bit %d flipped", bit)
		}
	}
	if Verify(pub, sha512.Sum512([]byte("another")), sig) {
		t.Error("Verify takes the signature of another manifest")
	}
	other, _, _ := ed25519.GenerateKey(rand.Reader)
	if Verify(other, digest, sig) || Verify(nil, digest, sig) || Verify(pub[:31], digest, sig) {
		t.Error("Verify takes another key")
	}
	if bare := [64]byte(ed25519.Sign(key, digest[:])); Verify(pub, digest, bare) {
		t.Error("Verify takes a signature outside the namespace")
	}
}

func TestUnarmor(t *testing.T) {
	pub, sig := sign([]byte("x"))
	file := Armor(pub, sig)
	gotPub, gotSig, err := Unarmor(file)
	if err != nil || !gotPub.Equal(pub) || gotSig != sig {
		t.Fatalf("Unarmor(Armor) = %v, %v, %v", gotPub, gotSig, err)
	}
	blob, _ := pem.Decode(file)
	change := func(old, new string) []byte {
		changed := bytes.Replace(blob.Bytes, []byte(old), []byte(new), 1)
		if bytes.Equal(changed, blob.Bytes) {
			t.Fatalf("%q is not in the blob", old)
		}
		return armor(changed)
	}
	for name, bad := range map[string][]byte{
		"empty":         {},
		"no armor":      blob.Bytes,
		"cut":           file[:len(file)-40],
		"trailing":      append(bytes.Clone(file), "x"...),
		"twice":         append(bytes.Clone(file), file...),
		"headers":       bytes.Replace(file, []byte("-----\n"), []byte("-----\nA: b\n\n"), 1),
		"other type":    bytes.ReplaceAll(file, []byte("SSH SIGNATURE"), []byte("SSH SIGNATORY")),
		"namespace":     change(Namespace, "weir-manifesto"[:13]+"x"),
		"short space":   change("\x0dweir-manifest", "\x0cweir-manifes"),
		"hash":          change("sha512", "sha256"),
		"kind of key":   change("ssh-ed25519", "ssh-ed25518"),
		"version":       change("SSHSIG\x00\x00\x00\x01", "SSHSIG\x00\x00\x00\x02"),
		"length":        change("\x00\x00\x00\x0bssh", "\xff\xff\xff\xffssh"),
		"short key":     change("\x00\x00\x00\x20", "\x00\x00\x00\x1f"),
		"too long":      append(bytes.Clone(file), bytes.Repeat([]byte("\n"), MaxSignatureFile)...),
		"bytes after":   armor(append(bytes.Clone(blob.Bytes), 0)),
		"bytes missing": armor(blob.Bytes[:len(blob.Bytes)-1]),
	} {
		if _, _, err := Unarmor(bad); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
}

// OpenSSH is the judge of the format: it checks what we sign, and we read and
// check what it signs.
func TestSignatureAgainstOpenSSH(t *testing.T) {
	program, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is not installed: nothing to compare with")
	}
	folder := t.TempDir()
	name := func(s string) string { return filepath.Join(folder, s) }
	save := func(s string, b []byte) {
		if err := os.WriteFile(name(s), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	message := []byte(sample(t))
	pub, sig := sign(message)
	save("allowed_signers", []byte(AllowedSigner("prod", pub)+"\n"))
	save("manifest.sig", Armor(pub, sig))
	verify := func(identity, namespace string, message []byte) (string, error) {
		cmd := exec.Command(program, "-Y", "verify", "-f", name("allowed_signers"), "-I", identity, "-n", namespace, "-s", name("manifest.sig"))
		cmd.Stdin = bytes.NewReader(message)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := verify("prod", Namespace, message); err != nil || !strings.HasPrefix(out, "Good") {
		t.Errorf("ssh-keygen -Y verify: %v: %s", err, out)
	}
	for _, bad := range [][3]string{{"test", Namespace, string(message)}, {"prod", "file", string(message)}, {"prod", Namespace, "x"}} {
		if out, err := verify(bad[0], bad[1], []byte(bad[2])); err == nil {
			t.Errorf("ssh-keygen -Y verify of %.20q: %s", bad, out)
		}
	}
	checkOpenSSHSignature(t, program, folder, message)
}

func checkOpenSSHSignature(t *testing.T, program, folder string, message []byte) {
	t.Helper()
	name := filepath.Join(folder, "key")
	if out, err := exec.Command(program, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	cmd := exec.Command(program, "-Y", "sign", "-f", name, "-n", Namespace)
	cmd.Stdin = bytes.NewReader(message)
	file, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	pub, sig, err := Unarmor(file)
	if err != nil || !Verify(pub, sha512.Sum512(message), sig) {
		t.Errorf("a signature of ssh-keygen does not verify: %v", err)
	}
	line, err := os.ReadFile(name + ".pub")
	if err != nil || strings.TrimSpace(string(line)) != PublicLine(pub) {
		t.Errorf("key.pub = %q, %v, PublicLine = %q", line, err, PublicLine(pub))
	}
	if !bytes.Equal(Armor(pub, sig), file) {
		t.Errorf("Armor differs from ssh-keygen:\n%s\n%s", Armor(pub, sig), file)
	}
}

func FuzzUnarmor(f *testing.F) {
	pub, sig := sign([]byte("x"))
	file := Armor(pub, sig)
	f.Add(file)
	f.Add(file[:100])
	f.Add([]byte("-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pub, sig, err := Unarmor(b)
		if err != nil {
			return
		}
		againPub, againSig, err := Unarmor(Armor(pub, sig))
		if err != nil || !againPub.Equal(pub) || againSig != sig {
			t.Errorf("what Unarmor took comes back otherwise: %v", err)
		}
	})
}
