// Package geoip tells in which country an address is, from a database file in MaxMind's format (MMDB) that the operator has.
//
// The file is read into memory as a whole, so that whoever replaces it, in whatever way, disturbs nobody. It is looked at now
// and then by those who ask; a new one is used from then on, and one that cannot be used leaves the old one in use and is told
// of in the log.
//
// Imports: nothing of Rivus; maxminddb-golang/v2.
package geoip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// checkEvery is how often the file is looked at, when somebody asks for a country.
const checkEvery = 10 * time.Second

// maxSize is more than any database of countries, or of cities, has.
const maxSize = 1 << 30

// Database is a file of countries. It is safe for concurrent use.
type Database struct {
	path    string
	clock   func() time.Time
	log     *slog.Logger
	current atomic.Pointer[maxminddb.Reader]
	checked atomic.Int64 // Unix nanoseconds of the last look at the file

	mu     sync.Mutex
	read   os.FileInfo // what current was made from
	failed os.FileInfo // what could not be used
	told   string      // why, which the log has
}

// Open reads a database. It is an error when the file is not in the format, or has no countries. A nil clock is time.Now, a nil
// log discards.
func Open(path string, clock func() time.Time, log *slog.Logger) (*Database, error) {
	if clock == nil {
		clock = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Database{path: path, clock: clock, log: log}
	reader, info, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("geoip: %w", err)
	}
	d.read = info
	d.current.Store(reader)
	d.checked.Store(clock().UnixNano())
	return d, nil
}

// Country returns the ISO 3166-1 alpha-2 code of the country of an address, "" when the database does not know it. An error
// means that the database is damaged there.
func (d *Database) Country(a netip.Addr) (string, error) {
	d.look()
	return country(d.current.Load(), a)
}

// country looks an address up. Databases differ in where the code stands: MaxMind's and those made like them have
// country.iso_code, others country_code, or country.
func country(r *maxminddb.Reader, a netip.Addr) (string, error) {
	if !a.IsValid() || a.Is6() && r.Metadata.IPVersion == 4 {
		return "", nil
	}
	found := r.Lookup(a.WithZone(""))
	if err := found.Err(); err != nil {
		return "", fmt.Errorf("geoip: %w", err)
	}
	return countryIn(found)
}

func countryIn(found maxminddb.Result) (string, error) {
	for _, path := range [][]any{{"country", "iso_code"}, {"country_code"}, {"country"}} {
		var code string
		err := found.DecodePath(&code, path...)
		if _, damaged := errors.AsType[maxminddb.InvalidDatabaseError](err); damaged {
			return "", fmt.Errorf("geoip: %w", err)
		}
		if err == nil && isCode(code) { // else it is not there, or something else is
			return code, nil
		}
	}
	return "", nil
}

func isCode(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// look reads the file anew when it was replaced. One of those who ask does so; the others go on with what there is.
func (d *Database) look() {
	now, last := d.clock().UnixNano(), d.checked.Load()
	if now-last < int64(checkEvery) || !d.checked.CompareAndSwap(last, now) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := os.Stat(d.path)
	if err == nil && (same(info, d.read) || same(info, d.failed)) {
		return
	}
	var reader *maxminddb.Reader
	if err == nil {
		reader, info, err = load(d.path)
	}
	if err != nil {
		d.failed = info
		if text := err.Error(); text != d.told {
			d.told = text
			d.log.Warn("database of countries not renewed; the one before stays in use", "file", d.path, "error", err)
		}
		return
	}
	d.read, d.failed, d.told = info, nil, ""
	d.current.Store(reader)
	d.log.Info("database of countries renewed", "file", d.path, "type", reader.Metadata.DatabaseType, "built", reader.Metadata.BuildTime().UTC())
}

func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// load reads a file and tries it. The file's state is returned also when it cannot be used.
func load(path string) (*maxminddb.Reader, os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }() // it was read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, info, fmt.Errorf("%s is not a file", path)
	case info.Size() > maxSize:
		return nil, info, fmt.Errorf("%s has more than %d bytes", path, int64(maxSize))
	}
	data := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(f, maxSize)); err != nil {
		return nil, info, err
	}
	reader, err := maxminddb.OpenBytes(data.Bytes())
	if err != nil {
		return nil, info, fmt.Errorf("%s: %w", path, err)
	}
	if !knowsCountries(reader) {
		return nil, info, fmt.Errorf("%s (%s) has no countries in its first %d networks", path, reader.Metadata.DatabaseType, tried)
	}
	return reader, info, nil
}

// tried is how many networks of a new database are looked at before it counts as one without countries.
const tried = 10_000

func knowsCountries(r *maxminddb.Reader) bool {
	n := 0
	for network := range r.Networks() {
		if code, err := countryIn(network); err == nil && code != "" {
			return true
		}
		if n++; n == tried {
			break
		}
	}
	return false
}
