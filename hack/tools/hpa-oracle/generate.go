package main

import "math/rand/v2"

// What is generated is adversarial on purpose: a uniform draw would hardly ever sit on the edge of a tolerance, fill a
// policy's period to the last pod, or let a metric fail while another one asks for less. So each kind of scenario has a
// trouble of its own, and all of them get a bit of the others'.
//
// One thing is left out: a window of spec.behavior that grows while its autoscaler lives. What the HPA then still finds
// in its list depends on which entries it has reused (core/behavior.h).

const hour = 240 // syncs

type generator struct{ *rand.Rand }

func generate(seed uint64, number int) *Scenario {
	g := generator{rand.New(rand.NewPCG(seed, uint64(number)))}
	kinds := []func(*Scenario){g.calm, g.edges, g.starts, g.chaos, g.policies, g.zero, g.waking, g.outages, g.others}
	names := []string{"calm", "edges", "starts", "chaos", "policies", "zero", "waking", "outages", "others"}
	s := &Scenario{Number: number, Kind: names[number%len(kinds)], Seed: g.Uint64() >> 1, Syncs: hour}
	kinds[number%len(kinds)](s)
	if g.chance(0.15) {
		s.Late, s.LateBy = 0.3, pick(g, 1, 999, 3000, 14999)
	}
	for g.chance(0.2) && len(s.Specs) < 6 {
		g.changeSpec(s)
	}
	for g.chance(0.1) {
		s.Refused = append(s.Refused, g.IntN(hour))
		s.Unread = append(s.Unread, g.IntN(hour))
	}
	return s
}

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

func (g generator) chance(p float64) bool { return g.Float64() < p }

func (g generator) between(low, high float64) float64 { return low + (high-low)*g.Float64() }

// ---- kinds ----

// A service whose load changes as loads do, on pods that behave.
func (g generator) calm(s *Scenario) {
	s.Pods = g.goodPods()
	g.spec(s, 1+g.IntN(3), false)
	g.loads(s, "sine", "steps", "saw", "ramp")
}

// Every ratio is at the edge of the tolerance, or a hair to either side.
func (g generator) edges(s *Scenario) {
	s.Pods = g.goodPods()
	s.Pods.Requests = []int64{pick[int64](g, 100, 200, 1000, 2000)}
	g.spec(s, 1+g.IntN(2), false)
	up, down := 0.1, 0.1
	if b := s.Specs[0].Behavior; b != nil {
		up, down = tolerance(b.Up, up), tolerance(b.Down, down)
	}
	g.loads(s, "edges")
	for i := range s.Signals {
		signal := &s.Signals[i]
		signal.Direct = true
		signal.Noise, signal.Skew = 0, 0
		hair := 1 / float64(s.Specs[0].Metrics[i].Target)
		for _, edge := range []float64{1 - down, 1, 1 + up} {
			signal.Edges = append(signal.Edges, edge, edge-hair, edge+hair)
		}
		signal.Edges = append(signal.Edges, 0, 0.5, 2)
	}
}

// Pods take their time, are measured while they start, and come and go.
func (g generator) starts(s *Scenario) {
	s.Pods = g.goodPods()
	s.Pods.Fresh = g.chance(0.5)
	s.Pods.Pending = [2]int{0, pick(g, 5, 60, 200)}
	s.Pods.Start = [2]int{0, pick(g, 10, 60, 240, 400)}
	s.Pods.Stop = [2]int{0, pick(g, 10, 60)}
	s.Pods.Flap, s.Pods.Recover = pick(g, 0, 0.01, 0.05), 0.3
	s.Pods.Evict = pick(g, 0, 0.005, 0.03)
	s.Pods.Timeless = pick(g, 0, 0, 0.1)
	s.Pods.Relapse = pick(g, 0, 0.2)
	g.spec(s, 1+g.IntN(2), false)
	if !s.Specs[0].Metrics[0].perPod() {
		s.Specs[0].Metrics[0] = Metric{Source: sourceResource, CPU: true, Type: targetUtilization, Target: 70}
	}
	g.loads(s, "sine", "steps", "square", "ramp")
	for i := range s.Signals {
		s.Signals[i].Missing = pick(g, 0, 0.02, 0.2)
	}
}

// Pods, samples and loads have nothing to do with one another.
func (g generator) chaos(s *Scenario) {
	s.Pods = g.goodPods()
	s.Pods.Follow = false
	s.Pods.Most = pick(g, 1, 3, 8, 20)
	s.Pods.Pending, s.Pods.Start, s.Pods.Stop = [2]int{0, 90}, [2]int{0, 400}, [2]int{0, 90}
	s.Pods.Flap, s.Pods.Recover, s.Pods.Unknown = 0.03, 0.2, 0.02
	s.Pods.Fail, s.Pods.Succeed, s.Pods.Evict = 0.01, 0.005, 0.01
	s.Pods.Bare, s.Pods.Timeless = 0.05, 0.05
	s.Pods.NoReq, s.Pods.ZeroReq = pick(g, 0, 0, 0, 0.02), pick(g, 0, 0, 0.1, 1)
	g.spec(s, 1+g.IntN(4), false)
	g.loads(s, "random", "spikes", "square", "sine")
	for i := range s.Signals {
		s.Signals[i].Direct = g.chance(0.5)
		s.Signals[i].Missing = pick(g, 0, 0.1, 0.5)
		s.Signals[i].Strays = pick(g, 0, 0, 1, 4)
	}
}

// The load jumps, and the policies are what holds the count.
func (g generator) policies(s *Scenario) {
	s.Pods = g.goodPods()
	s.Pods.Most = 60
	g.spec(s, 1, false)
	s.Specs[0].Max = pick[int32](g, 12, 30, 60, 500)
	s.Replicas = min(s.Replicas, s.Specs[0].Max)
	s.Specs[0].Behavior = &Behavior{Up: g.rules(true), Down: g.rules(true)}
	g.loads(s, "square", "random", "spikes", "steps", "saw")
	s.Signals[0].High = g.between(10, 80)
	s.Signals[0].Low = g.between(0, 20)
}

// To zero and back, also by hand.
func (g generator) zero(s *Scenario) {
	s.Pods = g.goodPods()
	g.spec(s, 1+g.IntN(2), true)
	s.Specs[0].Min = 0
	g.loads(s, "square", "spikes", "steps", "random")
	for i := range s.Signals {
		s.Signals[i].Low = pick(g, 0, 0, 0, 0.01, -0.5)
	}
	if g.chance(0.3) {
		g.someOutages(s)
	}
	for g.chance(0.5) && len(s.Specs) < 6 {
		last := s.Specs[len(s.Specs)-1]
		last.At += 1 + g.IntN(60)
		last.Min = min(last.Max, pick[int32](g, 0, 1, 3, 10))
		if last.Min > 0 && g.chance(0.3) { // and nothing left that could be measured at 0
			last.Metrics = append([]Metric{{Source: sourceResource, CPU: true, Target: 70}}, last.Metrics[1:]...)
			for i, m := range last.Metrics {
				if !m.perPod() {
					last.Metrics = last.Metrics[:i]
					break
				}
			}
		} else {
			last.Metrics = append(s.Specs[0].Metrics[:1:1], last.Metrics[1:]...)
		}
		s.Specs = append(s.Specs, last)
	}
	if g.chance(0.5) { // asleep for a while
		for at := g.IntN(60); at < hour; at += 10 + g.IntN(60) {
			s.Foreign = append(s.Foreign, Foreign{At: at, Replicas: 0},
				Foreign{At: at + 1 + g.IntN(10), Replicas: 1 + g.Int32N(5)})
		}
	}
}

// The minimum is raised while the target is at zero, and while there is load again or none.
func (g generator) waking(s *Scenario) {
	s.Pods = g.goodPods()
	g.spec(s, 1, true)
	first := &s.Specs[0]
	first.Min = 0
	if b := first.Behavior; b != nil {
		now := int32(0)
		if b.Down == nil {
			b.Down = g.rules(false)
		}
		b.Down.Window, b.Down.Select = &now, "Max"
	}
	g.loads(s, "spikes")
	s.Signals[0].Low, s.Signals[0].High, s.Signals[0].Period = 0, g.between(1, 15), g.between(2, 5)
	if first.Behavior == nil { // 300 s without load before it is at zero
		s.Signals[0].Period = g.between(20, 40)
	}
	for at := 5; at < hour; at += 3 + g.IntN(40) {
		next := s.Specs[len(s.Specs)-1]
		next.At = at
		next.Min = min(next.Max, pick[int32](g, 0, 0, 0, 1, 5, 10, 20))
		s.Specs = append(s.Specs, next)
	}
}

// Metrics fail while others say up, down or nothing.
func (g generator) outages(s *Scenario) {
	s.Pods = g.goodPods()
	g.spec(s, 1+g.IntN(4), g.chance(0.3))
	g.loads(s, "sine", "steps", "square", "random")
	g.someOutages(s)
}

func (g generator) someOutages(s *Scenario) {
	for range 2 + g.IntN(10) {
		from := g.IntN(hour)
		s.Outages = append(s.Outages, Outage{Metric: g.IntN(len(s.Signals)), From: from,
			To: from + 1 + g.IntN(pick(g, 2, 10, 60)), Kind: g.IntN(4)})
	}
}

// Someone else writes the replicas, and the bounds move.
func (g generator) others(s *Scenario) {
	s.Pods = g.goodPods()
	g.spec(s, 1+g.IntN(2), g.chance(0.3))
	g.loads(s, "sine", "steps", "square", "random")
	g.foreign(s, 1+g.IntN(30))
	for range g.IntN(4) {
		g.changeSpec(s)
	}
}

// ---- parts ----

func (g generator) goodPods() PodModel {
	m := PodModel{Follow: true, Most: pick(g, 20, 20, 40), Pending: [2]int{0, 3}, Start: [2]int{1, pick(g, 5, 20, 60)},
		Stop: [2]int{0, 30}, Grid: pick(g, 1, 1000, 5000, 15000), Recover: 0.5, Sidecar: g.chance(0.3),
		Requests: []int64{pick[int64](g, 100, 250, 1000), pick[int64](g, 100, 333, 500)}, StatusBy: pick(g, 0, 0, 1)}
	m.Requests = m.Requests[:1+g.IntN(2)]
	return m
}

func (g generator) spec(s *Scenario, metrics int, total bool) {
	spec := TimedSpec{Min: pick[int32](g, 1, 1, 2, 5), Max: pick[int32](g, 5, 10, 20, 40)}
	for len(spec.Metrics) < metrics {
		spec.Metrics = append(spec.Metrics, g.metric(total && len(spec.Metrics) == 0))
	}
	if g.chance(0.7) {
		spec.Behavior = &Behavior{}
		if g.chance(0.7) {
			spec.Behavior.Up = g.rules(false)
		}
		if g.chance(0.7) {
			spec.Behavior.Down = g.rules(false)
		}
	}
	s.Replicas = spec.Min + g.Int32N(spec.Max-spec.Min+1)
	if g.chance(0.1) {
		s.Replicas = pick[int32](g, 0, 1, 50)
		if s.Replicas == 0 {
			s.Foreign = []Foreign{{At: 5 + g.IntN(20), Replicas: 3}}
		}
	}
	s.Specs = []TimedSpec{spec}
}

func (g generator) metric(total bool) Metric {
	if total || g.chance(0.3) {
		m := Metric{Source: sourceObject + g.IntN(2), Type: targetAverageValue + g.IntN(2)}
		m.Target = pick[int64](g, 1, 100, 333, 1000, 30000, 1e7)
		return m
	}
	m := Metric{Source: g.IntN(3), CPU: g.chance(0.7)}
	if m.Source == sourcePods || g.chance(0.3) {
		m.Type = targetAverageValue
		m.Target = pick[int64](g, 50, 100, 333, 1000, 30000)
		if !m.CPU && m.Source != sourcePods {
			m.Target *= 1024 * 1024 * 1000
		}
		return m
	}
	m.Target = pick[int64](g, 1, 30, 50, 70, 80, 100, 150)
	return m
}

var tolerances = []string{"0", "0.1", "100m", "0.05", "5e-2", "0.3", "1", "0.001", "123456789n", "0.2"}

func tolerance(r *Rules, otherwise float64) float64 {
	if r == nil || r.Tolerance == "" {
		return otherwise
	}
	q := hpaRules(r).Tolerance
	return q.AsApproximateFloat64()
}

func (g generator) rules(tight bool) *Rules {
	r := &Rules{}
	if g.chance(0.7) {
		window := pick[int32](g, 0, 0, 0, 0, 1, 15, 15, 30, 60, 61, 300, 900, 3600)
		if tight {
			window = pick[int32](g, 0, 0, 0, 15, 60)
		}
		r.Window = &window
	}
	if g.chance(0.4) {
		r.Tolerance = pick(g, tolerances...)
	}
	if g.chance(0.5) {
		r.Select = pick(g, "Max", "Max", "Min", "Min", "Disabled")
	}
	if tight || g.chance(0.6) {
		r.Policies = g.somePolicies()
	}
	return r
}

func (g generator) somePolicies() (found []Policy) {
	for range 1 + g.IntN(pick(g, 1, 2, 4, 8)) {
		p := Policy{Type: "Pods", Value: pick[int32](g, 1, 1, 2, 3, 4, 10, 1000),
			Period: pick[int32](g, 1, 14, 15, 16, 30, 60, 75, 120, 300, 900, 1800)}
		if g.chance(0.5) {
			p.Type, p.Value = "Percent", pick[int32](g, 1, 5, 10, 25, 33, 50, 100, 101, 300)
		}
		found = append(found, p)
	}
	return found
}

// Loads mostly between the bounds, so that the counts move.
func (g generator) loads(s *Scenario, shapes ...string) {
	for range s.Specs[0].Metrics {
		most := float64(s.Specs[0].Max) * pick(g, 0.3, 0.7, 1, 1, 1.5)
		s.Signals = append(s.Signals, Signal{Shape: pick(g, shapes...), Low: most * g.between(0, 0.6), High: most,
			Period: pick(g, 2, 5, 8, 20, 40, 60, 120, 240.0), Noise: pick(g, 0, 0, 0.01, 0.1, 0.5), Skew: pick(g, 0, 0, 0, 0.5, 3),
			Scrape: pick(g, 1, 5, 15, 15, 30, 60), Window: pick(g, 1, 10, 15, 30, 60), Lag: pick(g, 0, 0, 5, 15, 30),
			Series: 1 + g.IntN(3), Missing: pick(g, 0, 0, 0, 0.01)})
	}
}

func (g generator) foreign(s *Scenario, n int) {
	for range n {
		at := g.IntN(hour)
		for range 1 + g.IntN(3) { // and again, at once
			s.Foreign = append(s.Foreign, Foreign{At: at, Replicas: pick(g, g.Int32N(30), 1, 0, 10)})
			at++
		}
	}
}

// changeSpec edits what the spec was before.
func (g generator) changeSpec(s *Scenario) {
	last := s.Specs[len(s.Specs)-1]
	next := last
	next.At = last.At + 1 + g.IntN(100)
	next.Metrics = append([]Metric(nil), last.Metrics...)
	if b := last.Behavior; b != nil {
		next.Behavior = &Behavior{Up: b.Up.copy(), Down: b.Down.copy()}
	}
	switch g.IntN(7) {
	case 0:
		next.Max = last.Min + g.Int32N(30) + 1
	case 1:
		lowest := int32(0)
		if next.Metrics[0].perPod() {
			lowest = 1
		}
		next.Min = lowest + g.Int32N(next.Max-lowest+1)
	case 2:
		m := &next.Metrics[g.IntN(len(next.Metrics))]
		m.Target = max(1, m.Target*pick[int64](g, 1, 2, 3)/pick[int64](g, 1, 2, 3))
	case 3, 4:
		if b := next.Behavior; b != nil {
			for _, r := range []*Rules{b.Up, b.Down} {
				if r != nil && g.chance(0.5) {
					r.Policies = g.somePolicies()
					r.Tolerance = pick(g, tolerances...)
					r.Select = pick(g, "Max", "Min", "Disabled")
				}
				if r != nil && r.Window != nil && g.chance(0.3) {
					window := *r.Window / pick[int32](g, 1, 2, 4)
					r.Window = &window
				}
			}
		}
	case 5:
		next.Behavior = g.otherBehavior(last.Behavior)
	case 6:
		next.Metrics = next.Metrics[:1+g.IntN(len(next.Metrics))]
	}
	s.Specs = append(s.Specs, next)
}

// otherBehavior takes spec.behavior away, or brings it in; no window grows by that.
func (g generator) otherBehavior(b *Behavior) *Behavior {
	if b == nil {
		b = &Behavior{Up: g.rules(true), Down: g.rules(true)}
		b.Down.Window = pick(g, nil, b.Down.Window)
		return b
	}
	if b.Down == nil || b.Down.Window == nil || *b.Down.Window >= 300 {
		return nil
	}
	return b
}

func (r *Rules) copy() *Rules {
	if r == nil {
		return nil
	}
	made := *r
	return &made
}
