package apigen

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// packages maps a model to the package that holds its wire types.
func packages() map[string]string {
	return map[string]string{"ivs": "ivs", "ivs-realtime": "ivsrealtime", "ivschat": "ivschat"}
}

// Generate reads root/api and returns the generated files by their path below root.
func Generate(root string) (map[string][]byte, error) {
	models, err := Load(filepath.Join(root, "api"))
	if err != nil {
		return nil, err
	}
	sources := map[string]string{"internal/awsapi/routes_gen.go": routes(models)}
	for _, m := range models {
		pkg := packages()[m.Service]
		if pkg == "" {
			return nil, fmt.Errorf("no package for the model %s", m.Service)
		}
		sources["internal/"+pkg+"/wire_gen.go"] = wire(m, pkg)
	}
	files := make(map[string][]byte, len(sources))
	for name, source := range sources {
		text, err := format.Source([]byte(source))
		if err != nil {
			return nil, fmt.Errorf("format %s: %w", name, err)
		}
		files[name] = text
	}
	return files, nil
}

// Write generates the files below root.
func Write(root string) error {
	files, err := Generate(root)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write generated code: %w", err)
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return fmt.Errorf("write generated code: %w", err)
		}
	}
	return nil
}

// Check returns an error that names the files below root that are not what Write would make them.
func Check(root string) error {
	files, err := Generate(root)
	if err != nil {
		return err
	}
	var stale []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		have, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("check generated code: %w", err)
		}
		if !bytes.Equal(have, files[name]) {
			stale = append(stale, name)
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("not current: %s; run go run ./cmd/apigen", strings.Join(stale, ", "))
	}
	return nil
}

// routes returns the source of the table of all operations, unformatted.
func routes(models []*Model) string {
	w := &writer{}
	w.p(strings.TrimSuffix(header, "\n"), "*.json")
	w.p("package awsapi\n")
	w.p("// routes returns a row for each operation of the models, in order of model and name.")
	w.p("func routes() []route {\nreturn []route{")
	for _, m := range models {
		for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
			op := m.Operations[name]
			w.p("{service: %q, signing: %q, name: %q, method: %q, path: %q, status: %d, errors: %s},",
				m.Service, m.SigningName, name, op.Method, op.Path, op.Status, stringList(op.Errors))
		}
	}
	w.p("}\n}")
	return w.out.String()
}

func stringList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[]string{" + strings.Join(quoted, ", ") + "}"
}
