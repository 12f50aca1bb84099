package demo

import (
	"fmt"
	"net/url"

	"github.com/rivus-live/rivus/internal/app"
	"github.com/rivus-live/rivus/internal/config"
)

// tour is what there is to see.
type tour struct {
	shown, yours channel
	stage        string   // its ARN; empty without one
	people       []person // whose tokens may be printed
}

// printTour tells a new user what is there and what to try next.
func printTour(o Options, r app.Ready, t tour) {
	watch := func(c channel) string { return r.PublicURL + "/watch?channel=" + url.QueryEscape(c.arn) }
	rtmp := "rtmp://" + config.Reachable(r.RTMP) + "/app"
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(o.Stdout, format+"\n", args...) }
	p("")
	p("Rivus is running. Stop it with Ctrl-C.")
	p("")
	p("  Watch       %s", watch(t.shown))
	p("  API         %s   (region %s)", r.PublicURL, region)
	p("  Root key    %s", r.AccessKeyID)
	switch {
	case r.CredentialsFile == "":
	case o.ShowSecret:
		p("  Secret      %s", r.SecretAccessKey)
		p("  kept in     %s", r.CredentialsFile)
	default:
		p("  Secret      in %s", r.CredentialsFile)
	}
	p("")
	p("Your own picture goes to a second channel:")
	p("  OBS         Settings > Stream: Service \"Custom\", Server %s, Stream Key %s", rtmp, t.yours.key)
	p("  ffmpeg      ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine -c:v libx264 -tune zerolatency \\")
	p("                -pix_fmt yuv420p -b:v 2500k -g 60 -c:a aac -f flv %s/%s", rtmp, t.yours.key)
	p("  then watch  %s", watch(t.yours))
	p("")
	if t.stage != "" {
		p("Two people on a stage:")
		for _, who := range t.people {
			p("  %-10s  %s/stage#token=%s", who.name, r.PublicURL, who.token)
		}
		if len(t.people) == 0 {
			p("  a token     aws --endpoint-url %s ivs-realtime create-participant-token --stage-arn %s --user-id alice", r.PublicURL, t.stage)
			p("  to paste    %s/stage", r.PublicURL)
		} else {
			p("  Open each in a tab of its own. The links hold tokens: whoever has one can join, for twelve hours.")
		}
		p("")
	}
	p("With the AWS CLI:")
	if r.CredentialsFile != "" {
		p("  export AWS_SHARED_CREDENTIALS_FILE=%s AWS_DEFAULT_REGION=%s", r.CredentialsFile, region)
	} else {
		p("  export AWS_DEFAULT_REGION=%s", region)
	}
	p("  aws --endpoint-url %s ivs list-streams", r.PublicURL)
	p("  aws --endpoint-url %s ivs put-metadata --channel-arn %s --metadata 'hello, viewers'", r.PublicURL, t.shown.arn)
	p("")
}
