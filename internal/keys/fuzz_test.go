package keys

import (
	"strings"
	"testing"
)

// FuzzKeyFile reads a secret key's file and a receiver's public key. Whatever is
// in them, an error never repeats it.
func FuzzKeyFile(f *testing.F) {
	recv := testReceiver(f)
	f.Add(fileText(senderSecret, make([]byte, 32), SenderText(testSender(f))))
	f.Add([]byte(ReceiverText(recv)))
	f.Add([]byte("# comment\n\nweir-send-secret-1-aaaa"))
	f.Fuzz(func(t *testing.T, text []byte) {
		line, err := keyLine(text)
		if err != nil {
			return
		}
		for _, k := range []kind{senderSecret, receiverSecret} {
			raw, err := k.decode(line)
			unbroken := strings.Join(strings.Fields(line), "") // white space may break a key anywhere
			if err == nil && k.encode(raw) != unbroken {
				t.Errorf("%d bytes were taken for another key's text", len(line))
			}
		}
		if pub, err := ParseReceiver(line); err == nil && Fingerprint(ReceiverText(pub)) != Fingerprint(line) {
			t.Errorf("%q has two fingerprints", line)
		}
	})
}
