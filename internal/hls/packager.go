package hls

// Packager is the Cutter of a presentation together with the Rendition that leads it: all that a broadcast needs that shows
// what its encoder sends. Write, Metadata and End belong to one goroutine at a time; everything else may be called from any.
type Packager struct {
	*Cutter
	*Rendition
}

// NewPackager returns a packager that waits for frames.
func NewPackager(o Options) *Packager {
	c := NewCutter(o)
	return &Packager{Cutter: c, Rendition: c.AddRendition()}
}
