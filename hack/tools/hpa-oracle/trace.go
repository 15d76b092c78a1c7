package main

import (
	"bufio"
	"math"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// The trace: lines of words. Times are microseconds, 0: there is none; quantities are thousandths; enumerations have
// the numbers of core/spec.h and core/step.h.
//
//	scenario NUMBER SEED KIND OTHERS-WRITE
//	spec MIN MAX METRICS BEHAVIOR             before the first sync, and where it changes; followed by
//	metric SOURCE KIND TARGET-TYPE TARGET     each, and with BEHAVIOR 1
//	rules PRESENT WINDOW TOLERANCE SELECT POLICIES {TYPE VALUE PERIOD}   up, then down; -1: absent,
//	                                          a tolerance as the bits of a double
//	sync NUMBER TIME SPEC-REPLICAS STATUS-REPLICAS REFUSED PODS
//	pod PHASE READY DELETING START TRANSITION
//	total KIND VALUE                          a metric, or
//	pods KIND STRAYS STRAYS-SUM {PRESENT USAGE REQUEST TIME WINDOW}
//	answer REPLICAS ABLE ACTIVE LIMITED   conditions as +Reason, -Reason, or . where there is none
//	end NUMBER
type trace struct {
	*bufio.Writer
	number []byte
}

func (t *trace) word(s string) {
	t.WriteString(s)
	t.WriteByte(' ')
}

func (t *trace) int(v int64) {
	t.number = append(strconv.AppendInt(t.number[:0], v, 10), ' ')
	t.Write(t.number)
}

func (t *trace) flag(v bool) {
	if v {
		t.int(1)
	} else {
		t.int(0)
	}
}

func (t *trace) end() { t.WriteByte('\n') }

func (t *trace) scenario(s *Scenario) {
	t.word("scenario")
	t.int(int64(s.Number))
	t.int(int64(s.Seed))
	t.word(s.Kind)
	t.flag(len(s.Foreign) > 0)
	t.end()
}

func (t *trace) spec(s *TimedSpec) {
	t.word("spec")
	t.int(int64(s.Min))
	t.int(int64(s.Max))
	t.int(int64(len(s.Metrics)))
	t.flag(s.Behavior != nil)
	t.end()
	for _, m := range s.Metrics {
		kind := 1
		if m.Source >= sourceObject {
			kind = 2
		} else if m.CPU && m.Source != sourcePods {
			kind = 0
		}
		t.word("metric")
		t.int(int64(m.Source))
		t.int(int64(kind))
		t.int(int64(m.Type))
		t.int(m.Target)
		t.end()
	}
	if s.Behavior != nil {
		t.rules(s.Behavior.Up)
		t.rules(s.Behavior.Down)
	}
}

func (t *trace) rules(r *Rules) {
	t.word("rules")
	t.flag(r != nil)
	if r == nil {
		r = &Rules{}
	}
	if r.Window != nil {
		t.int(int64(*r.Window))
	} else {
		t.int(-1)
	}
	if r.Tolerance != "" {
		tolerance := resource.MustParse(r.Tolerance)
		t.int(int64(math.Float64bits(tolerance.AsApproximateFloat64())))
	} else {
		t.int(-1)
	}
	t.int(map[string]int64{"": -1, "Max": 0, "Min": 1, "Disabled": 2}[r.Select])
	t.int(int64(len(r.Policies)))
	for _, p := range r.Policies {
		t.int(map[string]int64{"Pods": 0, "Percent": 1}[p.Type])
		t.int(int64(p.Value))
		t.int(int64(p.Period))
	}
	t.end()
}

var phases = map[v1.PodPhase]int64{v1.PodPending: 0, v1.PodRunning: 1, v1.PodSucceeded: 2, v1.PodFailed: 3}
var readiness = map[v1.ConditionStatus]int64{v1.ConditionTrue: 1, v1.ConditionFalse: 2, v1.ConditionUnknown: 3}

func (t *trace) sync(w *world) {
	t.word("sync")
	t.int(int64(w.sync))
	t.int(w.now.UnixMicro())
	t.int(int64(w.replicas))
	t.int(int64(w.statusReplicas()))
	t.flag(w.has(w.s.Refused))
	t.int(int64(len(w.pods)))
	t.end()
	for _, p := range w.pods {
		t.word("pod")
		t.int(phases[p.object.Status.Phase])
		ready, transition := int64(0), int64(0)
		if c := p.condition(); c != nil {
			ready, transition = readiness[c.Status], c.LastTransitionTime.UnixMicro()
		}
		t.int(ready)
		t.flag(p.object.DeletionTimestamp != nil)
		if start := p.object.Status.StartTime; start != nil {
			t.int(start.UnixMicro())
		} else {
			t.int(0)
		}
		t.int(transition)
		t.end()
	}
	for i := range w.measured {
		t.metric(&w.spec.Metrics[i], &w.measured[i], w.pods)
	}
}

func (t *trace) metric(metric *Metric, m *measurement, pods []*pod) {
	kind := int64(0)
	switch m.outage {
	case outageError:
		kind = 2
	case outageEmpty:
		kind = 1
	}
	if !metric.perPod() {
		t.word("total")
		t.int(kind)
		t.int(m.value)
		t.end()
		return
	}
	sum := int64(0)
	for _, v := range m.strays {
		sum += v
	}
	t.word("pods")
	t.int(kind)
	t.int(int64(len(m.strays)))
	t.int(sum)
	for i, p := range pods {
		usage, present := m.pods[i].seen(metric, p)
		present = present && (m.outage == -1 || m.outage == outageHalf)
		t.flag(present)
		t.int(usage)
		t.int(m.request(p))
		if present {
			t.int(m.pods[i].time.UnixMicro())
		} else {
			t.int(0)
		}
		t.int(m.window.Microseconds())
	}
	t.end()
}

func (t *trace) answer(replicas int32, status *autoscalingv2.HorizontalPodAutoscalerStatus) {
	t.word("answer")
	t.int(int64(replicas))
	for _, kind := range []autoscalingv2.HorizontalPodAutoscalerConditionType{autoscalingv2.AbleToScale,
		autoscalingv2.ScalingActive, autoscalingv2.ScalingLimited} {
		text := "."
		for _, c := range status.Conditions {
			if c.Type == kind {
				text = map[v1.ConditionStatus]string{v1.ConditionTrue: "+", v1.ConditionFalse: "-"}[c.Status] + c.Reason
			}
		}
		t.word(text)
	}
	t.end()
}
