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
	return map[string]string{
		"ivs": "ivs", "ivs-realtime": "ivsrealtime", "ivschat": "ivschat",
		"sts": "sts", "iam": "iam", "events": "eventbridge", "sns": "sns",
	}
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

// routes returns the source of the tables of all services and operations, unformatted.
func routes(models []*Model) string {
	w := &writer{}
	w.p(strings.TrimSuffix(header, "\n"), "*.json")
	w.p("package awsapi\n")
	w.p("// contracts returns what each model says of its service, by the name of the model.")
	w.p("func contracts() map[string]*contract {\nreturn map[string]*contract{")
	for _, m := range models {
		w.p("%q: {\n%s,\nstatuses: map[string]int{", m.Service, contractFields(m))
		for _, code := range slices.Sorted(maps.Keys(statuses(m))) {
			w.p("%q: %d,", code, statuses(m)[code])
		}
		w.p("},\n},")
	}
	w.p("}\n}\n")
	w.p("// routes returns a row for each operation of the models, in order of model and name.")
	w.p("func routes() []route {\nreturn []route{")
	for _, m := range models {
		for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
			op := m.Operations[name]
			codes := make([]string, len(op.Errors))
			for i, e := range op.Errors {
				codes[i] = m.code(e)
			}
			slices.Sort(codes)
			w.p("{service: %q, signing: %q, name: %q, method: %q, path: %q, status: %d, errors: %s%s},",
				m.Service, m.SigningName, name, op.Method, op.Path, op.Status, stringList(codes), resultField(m, op))
		}
	}
	w.p("}\n}")
	return w.out.String()
}

// contractFields returns the fields of a contract that its protocol has.
func contractFields(m *Model) string {
	switch m.Protocol {
	case protocolQuery:
		return fmt.Sprintf("protocol: protocolQuery, version: %q, namespace: %q", m.APIVersion, m.XMLNamespace)
	case protocolJSON:
		return fmt.Sprintf("protocol: protocolJSON, target: %q", m.TargetPrefix)
	}
	return "protocol: protocolREST"
}

// resultField says that an answer of the query protocol has an element for its output.
func resultField(m *Model, op *Operation) string {
	if m.Protocol != protocolQuery || op.Output == "" {
		return ""
	}
	return ", result: true"
}

// statuses returns the status of each error of a model by its name on the wire.
func statuses(m *Model) map[string]int {
	all := make(map[string]int, len(m.Errors))
	for name, e := range m.Errors {
		all[m.code(name)] = e.Status
	}
	return all
}

func stringList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[]string{" + strings.Join(quoted, ", ") + "}"
}
