package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	namespace = "ns"
	target    = "web"
	syncEvery = 15 * time.Second
)

// world is the target and its metrics: what an API server would answer.
type world struct {
	s    *Scenario
	rnd  *rand.Rand
	sync int // of the present
	now  time.Time
	spec *TimedSpec

	replicas int32   // spec.replicas of the target
	counts   []int32 // pods alive at each sync: status.replicas, some syncs later
	pods     []*pod
	made     int
	measured []measurement // of this sync, by metric
}

type pod struct {
	object     *v1.Pod
	created    time.Time
	runs       time.Time
	ready      time.Time
	goes       time.Time // zero: it stays
	started    bool
	readyOnce  bool
	relapse    time.Duration // after it runs; zero: never
	bare       bool
	requests   [2][2]int64 // cpu, memory; of each container; -1: none
	usageShare float64     // of its neighbours', by metric noise
	samples    map[int]*sample
}

// sample is a measurement of one pod. Containers: app, and the sidecar where there is one.
type sample struct {
	time    time.Time
	usage   [2]int64
	partial bool // the sidecar's is missing
}

// measurement is the answer to one metric's query.
type measurement struct {
	outage  int // -1: none
	pods    []*sample
	strays  []int64
	value   int64
	series  []int64
	window  time.Duration
	request func(*pod) int64
}

func newWorld(s *Scenario, now time.Time) *world {
	w := &world{s: s, rnd: rand.New(rand.NewPCG(s.Seed, uint64(s.Number))), sync: -1, now: now,
		spec: &s.Specs[0], replicas: s.Replicas}
	for len(w.pods) < min(int(s.Replicas), s.Pods.Most) {
		w.create(!s.Pods.Fresh)
	}
	return w
}

// step goes to the next sync.
func (w *world) step(now time.Time) {
	w.sync++
	w.now = now
	for i := range w.s.Specs {
		if w.s.Specs[i].At == w.sync {
			w.spec = &w.s.Specs[i]
		}
	}
	for _, foreign := range w.s.Foreign {
		if foreign.At == w.sync {
			w.replicas = foreign.Replicas
		}
	}
	w.change()
	w.populate()
	w.counts = append(w.counts, int32(w.alive()))
	w.measure()
}

func (w *world) has(list []int) bool {
	for _, at := range list {
		if at == w.sync {
			return true
		}
	}
	return false
}

func (w *world) statusReplicas() int32 { return w.counts[max(0, w.sync-w.s.Pods.StatusBy)] }

// ---- pods ----

func (w *world) chance(p float64) bool { return p > 0 && w.rnd.Float64() < p }

func (w *world) seconds(span [2]int) time.Duration {
	grid := time.Duration(max(1, w.s.Pods.Grid)) * time.Millisecond
	between := time.Duration(span[1]-span[0])*time.Second + time.Millisecond
	return (time.Duration(span[0])*time.Second + time.Duration(w.rnd.Int64N(int64(between)))).Truncate(grid)
}

func (w *world) create(long bool) {
	m := &w.s.Pods
	p := &pod{created: w.now, samples: map[int]*sample{}}
	if long {
		p.created = w.now.Add(-time.Hour)
	}
	p.runs = p.created.Add(w.seconds(m.Pending))
	p.ready = p.runs.Add(w.seconds(m.Start))
	p.bare = w.chance(m.Bare)
	if w.chance(m.Relapse) {
		p.relapse = 30*time.Second + time.Duration(w.rnd.IntN(3)-1)*time.Microsecond
	}
	p.usageShare = 2*w.rnd.Float64() - 1
	noReq, zeroReq := w.chance(m.NoReq), w.chance(m.ZeroReq)
	containers := 1
	if m.Sidecar {
		containers = 2
	}
	w.made++
	p.object = &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("web-%d", w.made), Namespace: namespace,
		Labels: map[string]string{"app": target}}, Status: v1.PodStatus{Phase: v1.PodPending}}
	for c := range containers {
		request := m.Requests[w.rnd.IntN(len(m.Requests))]
		p.requests[0][c], p.requests[1][c] = request, request*1024*1024*1000
		if zeroReq {
			p.requests[0][c], p.requests[1][c] = 0, 0
		}
		container := v1.Container{Name: []string{"app", "side"}[c]}
		if noReq && c == containers-1 {
			p.requests[0][c], p.requests[1][c] = -1, -1
		} else {
			container.Resources.Requests = v1.ResourceList{
				v1.ResourceCPU:    *resource.NewMilliQuantity(p.requests[0][c], resource.DecimalSI),
				v1.ResourceMemory: *resource.NewQuantity(p.requests[1][c]/1000, resource.BinarySI)}
		}
		p.object.Spec.Containers = append(p.object.Spec.Containers, container)
	}
	w.pods = append(w.pods, p)
	w.age(p)
}

func (p *pod) condition() *v1.PodCondition {
	for i := range p.object.Status.Conditions {
		if p.object.Status.Conditions[i].Type == v1.PodReady {
			return &p.object.Status.Conditions[i]
		}
	}
	return nil
}

func (p *pod) setReady(status v1.ConditionStatus, at time.Time) {
	if c := p.condition(); c != nil {
		c.Status, c.LastTransitionTime = status, metav1.NewTime(at)
	} else if !p.bare {
		p.object.Status.Conditions = []v1.PodCondition{
			{Type: v1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(at)}}
	}
}

func (p *pod) lives() bool {
	return p.object.DeletionTimestamp == nil && p.object.Status.Phase != v1.PodFailed &&
		p.object.Status.Phase != v1.PodSucceeded
}

func (p *pod) serves() bool {
	c := p.condition()
	return p.lives() && p.object.Status.Phase == v1.PodRunning && (p.bare || (c != nil && c.Status != v1.ConditionFalse))
}

func (w *world) alive() int {
	n := 0
	for _, p := range w.pods {
		if p.lives() {
			n++
		}
	}
	return n
}

// age lets the planned happen: it runs, it is ready.
func (w *world) age(p *pod) {
	status := &p.object.Status
	if !p.started && !w.now.Before(p.runs) && status.Phase == v1.PodPending {
		p.started = true
		status.Phase = v1.PodRunning
		if !w.chance(w.s.Pods.Timeless) {
			status.StartTime = &metav1.Time{Time: p.runs}
		}
		p.setReady(v1.ConditionFalse, p.runs)
	}
	if p.started && !p.readyOnce && !w.now.Before(p.ready) && status.Phase == v1.PodRunning {
		p.readyOnce = true
		p.setReady(v1.ConditionTrue, p.ready)
	}
	if p.relapsed(w.now) && p.lives() {
		p.readyOnce = true
		p.setReady(v1.ConditionFalse, p.runs.Add(p.relapse))
	}
}

func (p *pod) relapsed(now time.Time) bool {
	return p.started && p.relapse > 0 && !now.Before(p.runs.Add(p.relapse))
}

// change lets the unplanned happen.
func (w *world) change() {
	m := &w.s.Pods
	kept := w.pods[:0]
	for _, p := range w.pods {
		if !p.goes.IsZero() && !w.now.Before(p.goes) {
			continue
		}
		kept = append(kept, p)
		w.age(p)
		if !p.lives() || !p.readyOnce {
			continue
		}
		status, c := &p.object.Status, p.condition()
		earlier := w.now.Add(-w.seconds([2]int{0, 14}))
		switch {
		case w.chance(m.Fail), w.chance(m.Succeed):
			status.Phase = v1.PodFailed
			if m.Succeed > 0 && w.chance(0.5) {
				status.Phase = v1.PodSucceeded
			}
			p.setReady(v1.ConditionFalse, earlier)
			p.goes = w.now.Add(w.seconds([2]int{30, 900}))
		case w.chance(m.Evict):
			w.delete(p)
		case c == nil:
		case c.Status == v1.ConditionTrue && w.chance(m.Flap):
			p.setReady(v1.ConditionFalse, earlier)
		case c.Status != v1.ConditionTrue && !p.relapsed(w.now) && w.chance(m.Recover):
			p.setReady(v1.ConditionTrue, earlier)
		case c.Status == v1.ConditionTrue && w.chance(m.Unknown):
			p.setReady(v1.ConditionUnknown, earlier)
		}
	}
	clear(w.pods[len(kept):])
	w.pods = kept
}

func (w *world) delete(p *pod) {
	p.object.DeletionTimestamp = &metav1.Time{Time: w.now}
	p.goes = w.now.Add(w.seconds(w.s.Pods.Stop))
}

// populate is the workload's controller: as many as asked for, or as many as it likes.
func (w *world) populate() {
	m := &w.s.Pods
	wanted := int(w.replicas)
	if !m.Follow {
		wanted = w.alive() + w.rnd.IntN(3) - 1
		if w.chance(0.03) {
			wanted = w.rnd.IntN(m.Most + 1)
		}
	}
	wanted = min(wanted, m.Most)
	for i := len(w.pods) - 1; i >= 0 && w.alive() > wanted; i-- {
		if w.pods[i].lives() {
			w.delete(w.pods[i])
		}
	}
	for w.alive() < wanted {
		w.create(false)
	}
}

// ---- metrics ----

func (w *world) measure() {
	serving := 0
	for _, p := range w.pods {
		if p.serves() {
			serving++
		}
	}
	w.measured = make([]measurement, len(w.spec.Metrics))
	for i := range w.spec.Metrics {
		w.measured[i] = w.measureOne(i, serving)
	}
}

func (w *world) measureOne(index, serving int) measurement {
	metric, signal := &w.spec.Metrics[index], &w.s.Signals[index]
	m := measurement{outage: -1, window: time.Duration(signal.Window) * time.Second, request: requestOf(metric)}
	for _, o := range w.s.Outages {
		if o.Metric == index && o.From <= w.sync && w.sync < o.To {
			m.outage = o.Kind
		}
	}
	level := signal.at(float64(w.sync), w.rnd)
	if !metric.perPod() {
		w.measureTotal(&m, metric, signal, level, serving)
		return m
	}
	if !signal.Direct {
		level /= float64(max(1, serving))
	}
	taken := w.now.Add(-time.Duration(signal.Lag) * time.Second).Truncate(time.Duration(signal.Scrape) * time.Second)
	for i, p := range w.pods {
		last := p.samples[index]
		if p.started && !taken.Before(p.runs) && (last == nil || taken.After(last.time)) {
			factor := level * (1 + signal.Noise*p.usageShare)
			if signal.Skew > 0 && i == 0 {
				factor += level * signal.Skew * float64(serving)
			}
			last = &sample{time: taken, usage: w.usage(metric, p, factor), partial: w.chance(signal.Missing / 4)}
			p.samples[index] = last
		}
		if w.chance(signal.Missing) || (m.outage == outageHalf && i%2 == 0) {
			last = nil
		}
		m.pods = append(m.pods, last)
	}
	for range signal.Strays {
		if w.chance(0.5) {
			m.strays = append(m.strays, int64(math.Max(0, level)*float64(max(metric.Target, 100))))
		}
	}
	return m
}

// usage of a pod that is at `factor` of its target.
func (w *world) usage(metric *Metric, p *pod, factor float64) (usage [2]int64) {
	for c := range p.object.Spec.Containers {
		at := float64(metric.Target)
		if metric.Type == targetUtilization {
			at = float64(max(p.requests[metric.kind()][c], 0)) * float64(metric.Target) / 100
		} else if metric.Source == sourceResource {
			at /= float64(len(p.object.Spec.Containers))
		}
		usage[c] = int64(math.Max(0, math.Min(1e15, math.Round(at*factor))))
		if metric.kind() == 1 && metric.Source != sourcePods {
			usage[c] = usage[c] / 1000 * 1000 // whole bytes
		}
	}
	return usage
}

func (w *world) measureTotal(m *measurement, metric *Metric, signal *Signal, level float64, serving int) {
	if metric.Type == targetValue && !signal.Direct {
		level /= float64(max(1, serving))
	}
	m.value = int64(math.Round(level * float64(metric.Target)))
	rest := m.value
	for range max(0, signal.Series-1) {
		part := rest / 2
		m.series = append(m.series, part)
		rest -= part
	}
	m.series = append(m.series, rest)
}

func (m *Metric) kind() int {
	if m.CPU {
		return 0
	}
	return 1
}

// requestOf answers with the thousandths that a pod requests, < 0: a container lacks it.
func requestOf(metric *Metric) func(*pod) int64 {
	return func(p *pod) int64 {
		requests := p.requests[metric.kind()]
		if metric.Source == sourceContainerResource || len(p.object.Spec.Containers) == 1 {
			return requests[0]
		}
		if requests[0] < 0 || requests[1] < 0 {
			return -1
		}
		return requests[0] + requests[1]
	}
}

// seen is what the HPA's metrics client makes of a sample: nothing where a container that counts is missing.
func (s *sample) seen(metric *Metric, p *pod) (int64, bool) {
	switch {
	case s == nil:
		return 0, false
	case metric.Source != sourceResource || len(p.object.Spec.Containers) == 1:
		return s.usage[0], true
	default:
		return s.usage[0] + s.usage[1], !s.partial
	}
}

func (s *Signal) at(sync float64, rnd *rand.Rand) float64 {
	phase := math.Mod(sync/math.Max(s.Period, 1), 1)
	draw := rnd.Float64()
	level := s.Low
	switch s.Shape {
	case "sine":
		level = s.Low + (s.High-s.Low)*(0.5-0.5*math.Cos(2*math.Pi*phase))
	case "steps":
		steps := []float64{0, 1, 0.3, 0.6, 0.1, 0.9, 0.5}
		level = s.Low + (s.High-s.Low)*steps[int(sync/math.Max(s.Period, 1))%len(steps)]
	case "saw":
		level = s.Low + (s.High-s.Low)*phase
	case "square":
		if phase < 0.5 {
			level = s.High
		}
	case "spikes":
		if draw < 1/math.Max(s.Period, 1) {
			level = s.High
		}
	case "random":
		level = s.Low + (s.High-s.Low)*draw
	case "ramp":
		level = math.Min(s.High, math.Max(s.Low, 0.1)*math.Pow(1.5, math.Mod(sync, s.Period)))
	case "edges":
		level = s.Edges[int(draw*float64(len(s.Edges)))]
	}
	return level
}
