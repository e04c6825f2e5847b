package keys

import (
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func testSender(t testing.TB) ed25519.PublicKey {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}

func testReceiver(t testing.TB) hpke.PublicKey {
	t.Helper()
	key, err := hpke.MLKEM768X25519().NewPrivateKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key.PublicKey()
}

func TestPublicKeysRoundTrip(t *testing.T) {
	send, recv := testSender(t), testReceiver(t)
	gotSend, err := ParseSender(SenderText(send))
	if err != nil || !gotSend.Equal(send) {
		t.Errorf("sender: %v, %v", gotSend, err)
	}
	gotRecv, err := ParseReceiver(ReceiverText(recv))
	if err != nil || string(gotRecv.Bytes()) != string(recv.Bytes()) {
		t.Errorf("receiver: %v", err)
	}
	if n := len(ReceiverText(recv)); n != 1639 {
		t.Errorf("a receiver's text has %d bytes, want 1639", n)
	}
}

// The text form is a contract: keys that were carried by hand stay good.
func TestSenderTextIsStable(t *testing.T) {
	const want = "weir-send-1-O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2in5Zoz6"
	if got := SenderText(testSender(t)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEveryTypingErrorIsNoticed(t *testing.T) {
	text := SenderText(testSender(t))
	for i := range text {
		for _, c := range []byte("aZ07_-") {
			if c == text[i] {
				continue
			}
			typo := text[:i] + string(c) + text[i+1:]
			_, err := ParseSender(typo)
			if i < len(senderPublic.prefix) && !errors.Is(err, ErrNotKey) || i >= len(senderPublic.prefix) && !errors.Is(err, ErrTypo) {
				t.Errorf("%q for %q at %d: %v", c, text[i], i, err)
			}
		}
	}
	for i := len(senderPublic.prefix); i < len(text)-1; i++ {
		swapped := text[:i] + string(text[i+1]) + string(text[i]) + text[i+2:]
		if _, err := ParseSender(swapped); swapped != text && !errors.Is(err, ErrTypo) {
			t.Errorf("swap at %d: %v", i, err)
		}
	}
}

func TestRefusedTexts(t *testing.T) {
	send, recv := SenderText(testSender(t)), ReceiverText(testReceiver(t))
	secret := receiverSecret.encode(make([]byte, 32))
	cases := []struct {
		name, text string
		want       error
	}{
		{"empty", "", ErrNotKey},
		{"words", "hello", ErrNotKey},
		{"prefix alone", "weir-send-1-", ErrTypo},
		{"cut", send[:len(send)-1], ErrTypo},
		{"too much", send + "A", ErrTypo},
		{"wrong kind", recv, ErrWrongKind},
		{"secret", secret, ErrSecret},
		{"secret of the same kind", senderSecret.encode(make([]byte, 32)), ErrSecret},
		{"a secret's file", "# comment\n" + secret + "\n", ErrSecret},
		{"huge", send + strings.Repeat(" ", MaxText), ErrNotKey},
	}
	for _, c := range cases {
		if _, err := ParseSender(c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := ParseReceiver(send); !errors.Is(err, ErrWrongKind) {
		t.Errorf("a sender's key as a receiver's: %v", err)
	}
}

func TestReceiverTextThatIsNoPoint(t *testing.T) {
	// All checks of the text pass, the key inside is no ML-KEM key.
	raw := make([]byte, receiverPublic.size)
	for i := range raw {
		raw[i] = 0xff
	}
	if _, err := ParseReceiver(receiverPublic.encode(raw)); !errors.Is(err, ErrNotKey) {
		t.Errorf("got %v, want ErrNotKey", err)
	}
}

func TestWhiteSpaceIsIgnored(t *testing.T) {
	recv := ReceiverText(testReceiver(t))
	var broken strings.Builder
	for i, c := range recv {
		if i%64 == 0 {
			broken.WriteString("\r\n\t ")
		}
		broken.WriteRune(c)
	}
	if _, err := ParseReceiver(broken.String()); err != nil {
		t.Error(err)
	}
	if Fingerprint(recv) != Fingerprint(broken.String()) {
		t.Error("the fingerprint depends on line breaks")
	}
}

func TestFingerprint(t *testing.T) {
	got := Fingerprint(SenderText(testSender(t)))
	if !regexp.MustCompile(`^([a-z2-7]{4}-){3}[a-z2-7]{4}$`).MatchString(got) {
		t.Errorf("%q is not four groups of four", got)
	}
	if got == Fingerprint(ReceiverText(testReceiver(t))) {
		t.Error("two keys, one fingerprint")
	}
}

func FuzzParseSender(f *testing.F) {
	send := SenderText(testSender(f))
	for _, seed := range []string{"", send, send[:20], "weir-send-1-", " " + send + "\n", ReceiverText(testReceiver(f))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pub, err := ParseSender(text)
		if err != nil {
			return
		}
		if got := SenderText(pub); got != strings.Join(strings.Fields(text), "") {
			t.Errorf("%q was taken for %q", text, got)
		}
	})
}
