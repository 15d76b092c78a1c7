package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	v1core "k8s.io/client-go/kubernetes/typed/core/v1"
	autoscalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	autoscalingdefaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	custom "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	external "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	resources "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	resourceclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	customclient "k8s.io/metrics/pkg/client/custom_metrics"
	externalclient "k8s.io/metrics/pkg/client/external_metrics"
)

// play runs one scenario through the controller. Its clients are answered by the world; its syncs are those of its own
// queue. The constants are the defaults of kube-controller-manager.
func play(ctx context.Context, s *Scenario, out *bufio.Writer) {
	ctx, stop := context.WithCancel(ctx)
	c := &cluster{world: newWorld(s, time.Now()), trace: &trace{Writer: out}, stop: stop}
	c.hpa = &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: target, Namespace: namespace}}
	c.trace.scenario(s)
	controller := podautoscaler.NewHorizontalController(ctx, events{}, c, c, mapper{},
		metrics.NewRESTMetricsClient(podMetrics{cluster: c}, customMetrics{cluster: c}, externalMetrics{cluster: c}),
		c, podInformer{c}, syncEvery, 5*time.Minute, 0.1, 5*time.Minute, 30*time.Second)
	c.handler.OnAdd(c.hpa, true)
	controller.Run(ctx, 1)
}

// cluster is the API server that the controller sees: one autoscaler, its target, its pods.
type cluster struct {
	cache.SharedIndexInformer // only what is overridden is called
	*world
	trace   *trace
	stop    func()
	handler cache.ResourceEventHandler

	hpa    *autoscalingv2.HorizontalPodAutoscaler
	shown  *TimedSpec // the spec that the trace had last
	open   bool       // a sync is under way that the trace shall have
	wanted int32
	asked  int // resource queries of this sync: the metrics in their order
}

// The informer of autoscalers, and its lister: every sync begins with its Get.
func (c *cluster) Informer() cache.SharedIndexInformer { return c }
func (c *cluster) Lister() autoscalinglisters.HorizontalPodAutoscalerLister {
	return hpaLister{cluster: c}
}
func (c *cluster) HasSynced() bool { return true }
func (c *cluster) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return hpaClient{cluster: c}
}

func (c *cluster) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, _ time.Duration) (
	cache.ResourceEventHandlerRegistration, error) {
	c.handler = h
	return nil, nil
}

type hpaLister struct {
	autoscalinglisters.HorizontalPodAutoscalerLister
	autoscalinglisters.HorizontalPodAutoscalerNamespaceLister
	cluster *cluster
}

func (l hpaLister) List(labels.Selector) ([]*autoscalingv2.HorizontalPodAutoscaler, error) {
	return []*autoscalingv2.HorizontalPodAutoscaler{l.cluster.hpa}, nil
}

func (l hpaLister) HorizontalPodAutoscalers(string) autoscalinglisters.HorizontalPodAutoscalerNamespaceLister {
	return l
}

func (l hpaLister) Get(string) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	c := l.cluster
	c.close()
	if c.sync+1 == c.s.Syncs {
		c.trace.word("end")
		c.trace.int(int64(c.s.Number))
		c.trace.end()
		c.stop()
		return nil, errors.New("the scenario is over")
	}
	if c.chance(c.s.Late) {
		time.Sleep(time.Duration(c.rnd.IntN(c.s.LateBy)+1) * time.Millisecond)
	}
	c.step(time.Now())
	c.asked = 0
	if c.shown != c.spec {
		c.hpa.Spec = hpaSpec(c.spec)
		autoscalingdefaults.SetObjectDefaults_HorizontalPodAutoscaler(c.hpa)
	}
	return c.hpa, nil
}

// close ends the sync before.
func (c *cluster) close() {
	if c.open {
		c.trace.answer(c.wanted, &c.hpa.Status)
	}
	c.open = false
}

type hpaClient struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	cluster *cluster
}

func (h hpaClient) UpdateStatus(_ context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (
	*autoscalingv2.HorizontalPodAutoscaler, error) {
	h.cluster.hpa.Status = *hpa.Status.DeepCopy()
	return hpa, nil
}

// ---- the target ----

func (c *cluster) Scales(string) scale.ScaleInterface { return scales{cluster: c} }

var errRefused = errors.New("not now")

type scales struct {
	scale.ScaleInterface
	cluster *cluster
}

func (s scales) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	c := s.cluster
	switch {
	case c.open: // again, after a write that failed
		return nil, errRefused
	case c.has(c.s.Unread):
		return nil, errRefused
	}
	if c.shown != c.spec {
		c.shown = c.spec
		c.trace.spec(c.spec)
	}
	c.trace.sync(c.world)
	c.open = true
	c.wanted = c.replicas
	return &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: target, Namespace: namespace},
		Spec:   autoscalingv1.ScaleSpec{Replicas: c.replicas},
		Status: autoscalingv1.ScaleStatus{Replicas: c.statusReplicas(), Selector: "app=" + target}}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, scale *autoscalingv1.Scale, _ metav1.UpdateOptions) (
	*autoscalingv1.Scale, error) {
	c := s.cluster
	c.wanted = scale.Spec.Replicas
	if c.has(c.s.Refused) {
		return nil, errRefused
	}
	c.replicas = c.wanted
	return scale, nil
}

type mapper struct{ meta.RESTMapper }

func (mapper) RESTMappings(schema.GroupKind, ...string) ([]*meta.RESTMapping, error) {
	return []*meta.RESTMapping{{Resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}}},
		nil
}

type podInformer struct{ cluster *cluster }

func (p podInformer) Informer() cache.SharedIndexInformer { return p.cluster }
func (p podInformer) Lister() corelisters.PodLister       { return podLister{cluster: p.cluster} }

type podLister struct {
	corelisters.PodListerExpansion
	corelisters.PodNamespaceListerExpansion
	cluster *cluster
}

func (p podLister) Pods(string) corelisters.PodNamespaceLister { return p }

func (p podLister) Get(name string) (*v1.Pod, error) {
	return nil, fmt.Errorf("nobody asks for %s", name)
}

func (p podLister) List(labels.Selector) (found []*v1.Pod, err error) {
	for _, pod := range p.cluster.pods {
		found = append(found, pod.object)
	}
	return found, nil
}

// ---- metrics ----

var errQuery = errors.New("the metrics are out")

func milli(v int64) *resource.Quantity { return resource.NewMilliQuantity(v, resource.DecimalSI) }

type podMetrics struct {
	resourceclient.PodMetricsInterface
	cluster *cluster
}

func (p podMetrics) PodMetricses(string) resourceclient.PodMetricsInterface { return p }

func (p podMetrics) List(context.Context, metav1.ListOptions) (*resources.PodMetricsList, error) {
	c := p.cluster
	for c.spec.Metrics[c.asked].Source > sourceContainerResource {
		c.asked++
	}
	metric, m := &c.spec.Metrics[c.asked], &c.measured[c.asked]
	c.asked++
	name := v1.ResourceMemory
	if metric.CPU {
		name = v1.ResourceCPU
	}
	list := &resources.PodMetricsList{}
	if m.outage == outageError {
		return nil, errQuery
	}
	if m.outage == outageEmpty {
		return list, nil
	}
	add := func(pod string, at time.Time, usage []int64) {
		item := resources.PodMetrics{ObjectMeta: metav1.ObjectMeta{Name: pod}, Timestamp: metav1.NewTime(at),
			Window: metav1.Duration{Duration: m.window}}
		for i, container := range []string{"app", "side"} {
			use := v1.ResourceList{}
			if i < len(usage) && m.outage != outageValues {
				use[name] = *milli(usage[i])
			}
			if i < len(usage) {
				item.Containers = append(item.Containers, resources.ContainerMetrics{Name: container, Usage: use})
			}
		}
		if len(usage) == 1 && len(c.pods) > 0 && len(c.pods[0].object.Spec.Containers) == 2 {
			item.Containers = append(item.Containers, resources.ContainerMetrics{Name: "side"})
		}
		list.Items = append(list.Items, item)
	}
	for i, pod := range c.pods {
		if sample := m.pods[i]; sample != nil {
			n := len(pod.object.Spec.Containers)
			if sample.partial {
				n = 1
			}
			add(pod.object.Name, sample.time, sample.usage[:n])
		}
	}
	for i, usage := range m.strays {
		parts := []int64{usage}
		if len(c.pods) > 0 && len(c.pods[0].object.Spec.Containers) == 2 && metric.Source == sourceResource {
			parts = []int64{usage, 0}
		}
		add(fmt.Sprintf("gone-%d", i), c.now, parts)
	}
	if len(list.Items) == 0 { // an answer without a single item is another error, and not what is meant
		add("another", c.now, nil)
	}
	return list, nil
}

type customMetrics struct {
	customclient.CustomMetricsClient
	customclient.MetricsInterface
	cluster *cluster
}

func (m customMetrics) NamespacedMetrics(string) customclient.MetricsInterface { return m }

func (m customMetrics) of(name string) (*measurement, error) {
	measured := &m.cluster.measured[indexOf(name)]
	if measured.outage == outageError || (measured.outage == outageEmpty && len(measured.series) > 0) {
		return nil, errQuery
	}
	return measured, nil
}

func (m customMetrics) GetForObjects(_ schema.GroupKind, _ labels.Selector, name string, _ labels.Selector) (
	*custom.MetricValueList, error) {
	measured, err := m.of(name)
	if err != nil {
		return nil, err
	}
	window := int64(measured.window.Seconds())
	list := &custom.MetricValueList{}
	add := func(pod string, at time.Time, value int64) {
		list.Items = append(list.Items, custom.MetricValue{DescribedObject: v1.ObjectReference{Name: pod},
			Timestamp: metav1.NewTime(at), WindowSeconds: &window, Value: *milli(value)})
	}
	if measured.outage == outageEmpty || measured.outage == outageValues {
		return list, nil
	}
	for i, pod := range m.cluster.pods {
		if sample := measured.pods[i]; sample != nil {
			add(pod.object.Name, sample.time, sample.usage[0])
		}
	}
	for i, value := range measured.strays {
		add(fmt.Sprintf("gone-%d", i), m.cluster.now, value)
	}
	return list, nil
}

func (m customMetrics) GetForObject(_ schema.GroupKind, _ string, name string, _ labels.Selector) (*custom.MetricValue, error) {
	measured, err := m.of(name)
	if err != nil {
		return nil, err
	}
	return &custom.MetricValue{Timestamp: metav1.NewTime(m.cluster.now), Value: *milli(measured.value)}, nil
}

type externalMetrics struct {
	externalclient.MetricsInterface
	cluster *cluster
}

func (m externalMetrics) NamespacedMetrics(string) externalclient.MetricsInterface { return m }

func (m externalMetrics) List(name string, _ labels.Selector) (*external.ExternalMetricValueList, error) {
	measured := &m.cluster.measured[indexOf(name)]
	list := &external.ExternalMetricValueList{}
	switch measured.outage {
	case outageError:
		return nil, errQuery
	case outageEmpty:
		return list, nil
	}
	for _, value := range measured.series {
		list.Items = append(list.Items, external.ExternalMetricValue{Timestamp: metav1.NewTime(m.cluster.now), Value: *milli(value)})
	}
	return list, nil
}

// ---- the spec ----

func indexOf(name string) int { return int(name[1] - '0') }

func hpaSpec(s *TimedSpec) autoscalingv2.HorizontalPodAutoscalerSpec {
	spec := autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: target},
		MinReplicas:    &s.Min, MaxReplicas: s.Max}
	for i, m := range s.Metrics {
		spec.Metrics = append(spec.Metrics, hpaMetric(m, fmt.Sprintf("m%d", i)))
	}
	if s.Behavior != nil {
		spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
			ScaleUp: hpaRules(s.Behavior.Up), ScaleDown: hpaRules(s.Behavior.Down)}
	}
	return spec
}

func hpaMetric(m Metric, name string) autoscalingv2.MetricSpec {
	var t autoscalingv2.MetricTarget
	switch m.Type {
	case targetUtilization:
		percent := int32(m.Target)
		t = autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent}
	case targetAverageValue:
		t = autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: milli(m.Target)}
	case targetValue:
		t = autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: milli(m.Target)}
	}
	of := v1.ResourceMemory
	if m.CPU {
		of = v1.ResourceCPU
	}
	id := autoscalingv2.MetricIdentifier{Name: name}
	switch m.Source {
	case sourceResource:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{Name: of, Target: t}}
	case sourceContainerResource:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ContainerResourceMetricSourceType,
			ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: of, Container: "app", Target: t}}
	case sourcePods:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType,
			Pods: &autoscalingv2.PodsMetricSource{Metric: id, Target: t}}
	case sourceObject:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType,
			Object: &autoscalingv2.ObjectMetricSource{Metric: id, Target: t,
				DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Service", Name: target}}}
	default:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType,
			External: &autoscalingv2.ExternalMetricSource{Metric: id, Target: t}}
	}
}

func hpaRules(r *Rules) *autoscalingv2.HPAScalingRules {
	if r == nil {
		return nil
	}
	rules := &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: r.Window}
	if r.Tolerance != "" {
		tolerance := resource.MustParse(r.Tolerance)
		rules.Tolerance = &tolerance
	}
	if r.Select != "" {
		choice := map[string]autoscalingv2.ScalingPolicySelect{"Max": autoscalingv2.MaxChangePolicySelect,
			"Min": autoscalingv2.MinChangePolicySelect, "Disabled": autoscalingv2.DisabledPolicySelect}[r.Select]
		rules.SelectPolicy = &choice
	}
	for _, p := range r.Policies {
		rules.Policies = append(rules.Policies, autoscalingv2.HPAScalingPolicy{
			Type: autoscalingv2.HPAScalingPolicyType(p.Type), Value: p.Value, PeriodSeconds: p.Period})
	}
	return rules
}

// ---- events: nobody listens ----

type events struct{}

func (events) Events(string) v1core.EventInterface { return noEvents{} }

type noEvents struct{ v1core.EventInterface }

func (noEvents) CreateWithEventNamespace(e *v1.Event) (*v1.Event, error)          { return e, nil }
func (noEvents) PatchWithEventNamespace(e *v1.Event, _ []byte) (*v1.Event, error) { return e, nil }
