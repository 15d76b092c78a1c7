// hpa-oracle runs the HorizontalPodAutoscaler controller of Kubernetes itself, not a copy of it, through generated
// scenarios in virtual time, and prints what it saw and what it did at every sync. test/helpers/hpa_parity.c plays the
// same inputs through the decision core and compares; test/parity puts the two together.
//
//	hpa-oracle --seed 1 --count 500           generates scenarios and plays them (trace.go has the format)
//	hpa-oracle --seed 1 --first 17 --print    the scenario itself, as a JSON line, to look at or to change
//	hpa-oracle --scenarios FILE               plays scenarios of a file, - is the standard input
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
)

type options struct {
	seed         uint64
	first, count int
	print        bool
	file         string
}

func main() {
	var o options
	flag.Uint64Var(&o.seed, "seed", 1, "what the scenarios are made from")
	flag.IntVar(&o.first, "first", 0, "number of the first scenario")
	flag.IntVar(&o.count, "count", 1, "how many")
	flag.BoolVar(&o.print, "print", false, "print the scenarios, don't play them")
	flag.StringVar(&o.file, "scenarios", "", "play the scenarios of this file instead, - is the standard input")
	flag.Parse()
	// Virtual time is to be had inside of a test only.
	testing.Main(func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "oracle", F: func(t *testing.T) {
			if err := run(t, o); err != nil {
				fmt.Fprintln(os.Stderr, "hpa-oracle:", err)
				os.Exit(1)
			}
			os.Exit(0)
		}}}, nil, nil)
}

func run(t *testing.T, o options) error {
	runtime.GOMAXPROCS(1) // one sync after the other: a second thread would only be woken in vain
	debug.SetGCPercent(400)
	klog.SetLogger(logr.Discard())
	utilruntime.ErrorHandlers = nil // they log, and sleep
	if err := utilfeature.DefaultMutableFeatureGate.Set("HPAScaleToZero=true,HPAConfigurableTolerance=true"); err != nil {
		return err
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	err := forEach(o, func(s *Scenario) error {
		if o.print {
			return json.NewEncoder(out).Encode(s)
		}
		synctest.Test(t, func(t *testing.T) { play(t.Context(), s, out) })
		return nil
	})
	return errors.Join(err, out.Flush())
}

func forEach(o options, do func(*Scenario) error) error {
	if o.file == "" {
		for i := o.first; i < o.first+o.count; i++ {
			if err := do(generate(o.seed, i)); err != nil {
				return err
			}
		}
		return nil
	}
	in := os.Stdin
	if o.file != "-" {
		file, err := os.Open(o.file)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	decoder := json.NewDecoder(bufio.NewReader(in))
	decoder.DisallowUnknownFields()
	for {
		s := &Scenario{}
		if err := decoder.Decode(s); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := do(s); err != nil {
			return err
		}
	}
}
