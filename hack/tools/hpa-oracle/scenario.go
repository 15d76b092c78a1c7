package main

// Scenario is one autoscaler, its target and everything that happens to them. Same scenario, same trace: what is drawn
// at random while it is played is drawn from Seed.
type Scenario struct {
	Number   int    `json:"number"`
	Kind     string `json:"kind"` // what the generator had in mind
	Seed     uint64 `json:"seed"`
	Syncs    int    `json:"syncs"`
	Replicas int32  `json:"replicas"` // at the start

	Specs   []TimedSpec `json:"specs"`   // the first one at sync 0
	Signals []Signal    `json:"signals"` // one per metric
	Pods    PodModel    `json:"pods"`

	Outages []Outage  `json:"outages,omitempty"`
	Foreign []Foreign `json:"foreign,omitempty"` // writes of spec.replicas by someone else
	Refused []int     `json:"refused,omitempty"` // syncs at which the write of the scale fails
	Unread  []int     `json:"unread,omitempty"`  // syncs at which the read of the scale fails
	Late    float64   `json:"late,omitempty"`    // share of syncs that come late,
	LateBy  int       `json:"lateBy,omitempty"`  // by up to so many milliseconds
}

// TimedSpec is the spec from one sync on.
type TimedSpec struct {
	At       int       `json:"at"`
	Min      int32     `json:"min"`
	Max      int32     `json:"max"`
	Metrics  []Metric  `json:"metrics"`
	Behavior *Behavior `json:"behavior,omitempty"`
}

// Sources and target types in the order of core/spec.h.
const (
	sourceResource = iota
	sourceContainerResource
	sourcePods
	sourceObject
	sourceExternal
)

const (
	targetUtilization = iota
	targetAverageValue
	targetValue
)

type Metric struct {
	Source int   `json:"source"`
	CPU    bool  `json:"cpu,omitempty"` // of the two resources
	Type   int   `json:"type"`
	Target int64 `json:"target"` // percent, or thousandths
}

func (m Metric) perPod() bool { return m.Source <= sourcePods }

type Behavior struct {
	Up   *Rules `json:"up,omitempty"`
	Down *Rules `json:"down,omitempty"`
}

// Rules of one direction; what is absent has Kubernetes' default.
type Rules struct {
	Window    *int32   `json:"window,omitempty"`
	Tolerance string   `json:"tolerance,omitempty"` // a quantity
	Select    string   `json:"select,omitempty"`
	Policies  []Policy `json:"policies,omitempty"`
}

type Policy struct {
	Type   string `json:"type"`
	Value  int32  `json:"value"`
	Period int32  `json:"period"`
}

// Signal is what a metric measures. Its shape gives a load, in pods that run exactly at the target, shared by those
// that are ready; or, Direct, the ratio of each pod's usage to the target, however many there are.
type Signal struct {
	Shape  string  `json:"shape"`
	Direct bool    `json:"direct,omitempty"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Period float64 `json:"period"` // in syncs
	Noise  float64 `json:"noise"`  // relative, per pod
	Skew   float64 `json:"skew"`   // share of the load that one pod takes

	Edges  []float64 `json:"edges,omitempty"` // shape "edges": the ratios to hit
	Scrape int       `json:"scrape"`          // seconds between samples
	Window int       `json:"window"`          // seconds that a sample covers
	Lag    int       `json:"lag"`             // seconds until it can be read
	Series int       `json:"series"`          // of an external metric

	Missing float64 `json:"missing"` // share of samples that are
	Strays  int     `json:"strays"`  // samples of pods that are gone
}

// PodModel is how pods come, change and go. Times in seconds, chances per pod and sync.
type PodModel struct {
	Follow   bool    `json:"follow"` // there are as many as the target asks for; else they come and go as they like
	Most     int     `json:"most"`   // quota
	Pending  [2]int  `json:"pending"`
	Start    [2]int  `json:"start"` // from running to ready
	Stop     [2]int  `json:"stop"`  // from deleted to gone
	Grid     int     `json:"grid"`  // all times are multiples of so many milliseconds
	Flap     float64 `json:"flap"`
	Recover  float64 `json:"recover"`
	Unknown  float64 `json:"unknown"`
	Fail     float64 `json:"fail"`
	Succeed  float64 `json:"succeed"`
	Evict    float64 `json:"evict"`
	Bare     float64 `json:"bare"`     // share without a Ready condition
	Timeless float64 `json:"timeless"` // share without a start time
	Relapse  float64 `json:"relapse"`  // share that is unready for good from 30 s after its start on, or a hair beside
	NoReq    float64 `json:"noReq"`    // share without requests
	ZeroReq  float64 `json:"zeroReq"`  // share with requests of 0
	Requests []int64 `json:"requests"` // thousandths of a core, Mi
	Sidecar  bool    `json:"sidecar"`
	Fresh    bool    `json:"fresh"`    // the first ones are as new as those that follow
	StatusBy int     `json:"statusBy"` // status.replicas lags by so many syncs
}

const (
	outageError  = iota // the query fails
	outageEmpty         // it answers nothing
	outageValues        // it answers without the values
	outageHalf          // half of the pods are missing
)

type Outage struct {
	Metric int `json:"metric"`
	From   int `json:"from"`
	To     int `json:"to"`
	Kind   int `json:"kind"`
}

type Foreign struct {
	At       int   `json:"at"`
	Replicas int32 `json:"replicas"`
}
