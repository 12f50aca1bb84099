package app

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rivus-live/rivus/internal/config"
)

// rootKey is the access key of the installation's owner: every operation is allowed to it.
type rootKey struct {
	accessKeyID, secret, account string
	path                         string // the credentials file, "" when the key came from the flags
}

// loadRootKey returns the key given by flags, else the one in <data-dir>/credentials, else a new one that it writes
// there. The file has the format of the AWS command line's shared credentials, so AWS_SHARED_CREDENTIALS_FILE may name it.
func loadRootKey(c *config.Config) (rootKey, error) {
	if c.AccessKeyID != "" {
		return rootKey{accessKeyID: c.AccessKeyID, secret: c.SecretAccessKey, account: c.AccountID}, nil
	}
	dir, err := filepath.Abs(c.DataDir) // for AWS_SHARED_CREDENTIALS_FILE, wherever the user is
	if err != nil {
		return rootKey{}, fmt.Errorf("root key: %w", err)
	}
	path := filepath.Join(dir, "credentials")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeRootKey(path, c.AccountID)
	}
	if err != nil {
		return rootKey{}, fmt.Errorf("root key: %w", err)
	}
	k := rootKey{account: c.AccountID, path: path}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		name, value, _ := strings.Cut(sc.Text(), "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			k.accessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			k.secret = strings.TrimSpace(value)
		}
	}
	if k.accessKeyID == "" || k.secret == "" {
		return rootKey{}, fmt.Errorf("root key: %s holds no access key; delete it to have a new one made", path)
	}
	return k, nil
}

func makeRootKey(path, account string) (rootKey, error) {
	var id [10]byte
	var secret [30]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand aborts the process instead
	_, _ = rand.Read(secret[:])
	k := rootKey{
		accessKeyID: "AKIA" + base32.StdEncoding.EncodeToString(id[:]),
		secret:      base64.StdEncoding.EncodeToString(secret[:]),
		account:     account,
		path:        path,
	}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", k.accessKeyID, k.secret)
	if err := writeSecret(path, []byte(text)); err != nil {
		return rootKey{}, fmt.Errorf("root key: %w", err)
	}
	return k, nil
}
