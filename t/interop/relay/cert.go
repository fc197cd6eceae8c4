// SPDX-License-Identifier: MIT

package relay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// Cert is a self-signed certificate for localhost, in the files that
// hyper-derp is told of and that derper looks for.
type Cert struct {
	Dir, CertFile, KeyFile string
	Pool                   *x509.CertPool // it alone, to verify against
	Pin                    string         // CertName of a DERP map entry
}

func newCert(t testing.TB) *Cert {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "interop relay"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(30 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},

		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	sum := sha256.Sum256(der)
	c := &Cert{
		Dir:      dir,
		CertFile: filepath.Join(dir, "127.0.0.1.crt"),
		KeyFile:  filepath.Join(dir, "127.0.0.1.key"),
		Pool:     x509.NewCertPool(),
		Pin:      "sha256-raw:" + hex.EncodeToString(sum[:]),
	}
	c.Pool.AddCert(leaf)
	mustWrite(t, c.CertFile, string(pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	mustWrite(t, c.KeyFile, string(pem.EncodeToMemory(
		&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
	return c
}
