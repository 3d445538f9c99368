// Answers as ask.py does, without a server: calls the validation code of Kubernetes itself.
//
// Reads lines of JSON {"id", "old": OBJECT, "new": OBJECT}, and prints for each of them {"id", "create", "update"}:
// why the new object is refused as a new one, and in place of the old one. "failed" says why a pair cannot be judged.
// What the registry does before it validates is done here: a Job gets its selector, a Service its address, and a claim
// is bound.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsinstall "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsv "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	autoscalingv "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchv "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/certificates"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	certificatesv "k8s.io/kubernetes/pkg/apis/certificates/validation"
	"k8s.io/kubernetes/pkg/apis/coordination"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	coordinationv "k8s.io/kubernetes/pkg/apis/coordination/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corev "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/discovery"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	discoveryv "k8s.io/kubernetes/pkg/apis/discovery/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingv "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/node"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	nodev "k8s.io/kubernetes/pkg/apis/node/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyv "k8s.io/kubernetes/pkg/apis/policy/validation"
	"k8s.io/kubernetes/pkg/apis/rbac"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	rbacv "k8s.io/kubernetes/pkg/apis/rbac/validation"
	"k8s.io/kubernetes/pkg/apis/resource"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	resourcev "k8s.io/kubernetes/pkg/apis/resource/validation"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	schedulingv "k8s.io/kubernetes/pkg/apis/scheduling/validation"
	"k8s.io/kubernetes/pkg/apis/storage"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	storagev "k8s.io/kubernetes/pkg/apis/storage/validation"
)

func read(raw json.RawMessage) (runtime.Object, error) {
	var t metav1.TypeMeta
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, err
	}
	gv, err := schema.ParseGroupVersion(t.APIVersion)
	if err != nil {
		return nil, err
	}
	typed, err := legacyscheme.Scheme.New(gv.WithKind(t.Kind))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, typed); err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(typed)
	internal, err := legacyscheme.Scheme.ConvertToVersion(typed, schema.GroupVersion{Group: gv.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return nil, err
	}
	m := internal.(metav1.Object)
	m.SetUID(types.UID("11111111-2222-3333-4444-555555555555"))
	m.SetResourceVersion("1")
	cluster := map[string]bool{"PersistentVolume": true, "Node": true, "Namespace": true, "ClusterRole": true, "ClusterRoleBinding": true, "StorageClass": true,
		"VolumeAttachment": true, "VolumeAttributesClass": true, "CSIDriver": true, "CSINode": true, "PriorityClass": true, "RuntimeClass": true, "IngressClass": true,
		"IPAddress": true, "ServiceCIDR": true, "CustomResourceDefinition": true, "ClusterTrustBundle": true, "DeviceClass": true, "ResourceSlice": true}
	if !cluster[t.Kind] {
		m.SetNamespace("default")
	}
	return internal, nil
}

func jobLabels(j *batch.Job) {
	if j.Spec.ManualSelector != nil && *j.Spec.ManualSelector {
		return
	}
	if j.Spec.Template.Labels == nil {
		j.Spec.Template.Labels = map[string]string{}
	}
	for _, k := range []string{batch.LegacyJobNameLabel, batch.JobNameLabel} {
		if _, ok := j.Spec.Template.Labels[k]; !ok {
			j.Spec.Template.Labels[k] = j.Name
		}
	}
	for _, k := range []string{batch.LegacyControllerUidLabel, batch.ControllerUidLabel} {
		if _, ok := j.Spec.Template.Labels[k]; !ok {
			j.Spec.Template.Labels[k] = string(j.UID)
		}
	}
	if j.Spec.Selector == nil {
		j.Spec.Selector = &metav1.LabelSelector{}
	}
	if j.Spec.Selector.MatchLabels == nil {
		j.Spec.Selector.MatchLabels = map[string]string{}
	}
	if _, ok := j.Spec.Selector.MatchLabels[batch.ControllerUidLabel]; !ok {
		j.Spec.Selector.MatchLabels[batch.ControllerUidLabel] = string(j.UID)
	}
}

func judge(old, new runtime.Object) (create, update field.ErrorList, known bool) {
	known = true
	switch n := new.(type) {
	case *apps.StatefulSet:
		o := old.(*apps.StatefulSet)
		opts := podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, nil)
		create = appsv.ValidateStatefulSet(n, appsv.StatefulSetValidationOptions{}, opts)
		update = appsv.ValidateStatefulSetUpdate(n, o, appsv.StatefulSetValidationOptions{}, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, &o.Spec.Template))
	case *apps.Deployment:
		o := old.(*apps.Deployment)
		create = appsv.ValidateDeployment(n, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, nil))
		update = appsv.ValidateDeploymentUpdate(n, o, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, &o.Spec.Template))
	case *apps.DaemonSet:
		o := old.(*apps.DaemonSet)
		create = appsv.ValidateDaemonSet(n, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, nil))
		update = appsv.ValidateDaemonSetUpdate(n, o, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, &o.Spec.Template))
		var left field.ErrorList
		for _, e := range update {
			if e.Field != "spec.templateGeneration" {
				left = append(left, e)
			}
		}
		update = left
	case *apps.ReplicaSet:
		o := old.(*apps.ReplicaSet)
		create = appsv.ValidateReplicaSet(n, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, nil))
		update = appsv.ValidateReplicaSetUpdate(n, o, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, &o.Spec.Template))
	case *apps.ControllerRevision:
		create = appsv.ValidateControllerRevisionCreate(n)
		update = appsv.ValidateControllerRevisionUpdate(n, old.(*apps.ControllerRevision))
	case *batch.Job:
		o := old.(*batch.Job)
		jobLabels(n)
		jobLabels(o)
		opts := batchv.JobValidationOptions{PodValidationOptions: podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, nil), RequirePrefixedLabels: true}
		create = batchv.ValidateJobCreate(n, opts)
		opts.PodValidationOptions = podutil.GetValidationOptionsFromPodTemplate(&n.Spec.Template, &o.Spec.Template)
		suspended := o.Spec.Suspend != nil && *o.Spec.Suspend
		opts.AllowMutableSchedulingDirectives = suspended
		opts.AllowMutablePodResources = suspended
		update = batchv.ValidateJobUpdate(n, o, opts)
	case *batch.CronJob:
		o := old.(*batch.CronJob)
		create = batchv.ValidateCronJobCreate(n, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.JobTemplate.Spec.Template, nil))
		update = batchv.ValidateCronJobUpdate(n, o, podutil.GetValidationOptionsFromPodTemplate(&n.Spec.JobTemplate.Spec.Template, &o.Spec.JobTemplate.Spec.Template))
	case *core.Pod:
		o := old.(*core.Pod)
		create = corev.ValidatePodCreate(n, podutil.GetValidationOptionsFromPodSpecAndMeta(&n.Spec, nil, &n.ObjectMeta, nil))
		update = corev.ValidatePodUpdate(n, o, podutil.GetValidationOptionsFromPodSpecAndMeta(&n.Spec, &o.Spec, &n.ObjectMeta, &o.ObjectMeta))
	case *core.ReplicationController:
		o := old.(*core.ReplicationController)
		create = corev.ValidateReplicationController(n, podutil.GetValidationOptionsFromPodTemplate(n.Spec.Template, nil))
		update = corev.ValidateReplicationControllerUpdate(n, o, podutil.GetValidationOptionsFromPodTemplate(n.Spec.Template, o.Spec.Template))
	case *core.ConfigMap:
		create, update = corev.ValidateConfigMap(n), corev.ValidateConfigMapUpdate(n, old.(*core.ConfigMap))
	case *core.Secret:
		create, update = corev.ValidateSecret(n), corev.ValidateSecretUpdate(n, old.(*core.Secret))
	case *core.ResourceQuota:
		create, update = corev.ValidateResourceQuota(n), corev.ValidateResourceQuotaUpdate(n, old.(*core.ResourceQuota))
	case *core.Namespace:
		create, update = corev.ValidateNamespace(n), corev.ValidateNamespaceUpdate(n, old.(*core.Namespace))
	case *core.ServiceAccount:
		create, update = corev.ValidateServiceAccount(n), corev.ValidateServiceAccountUpdate(n, old.(*core.ServiceAccount))
	case *core.Node:
		create, update = corev.ValidateNode(n), corev.ValidateNodeUpdate(n, old.(*core.Node))
	case *core.PersistentVolume:
		o := old.(*core.PersistentVolume)
		create = corev.ValidatePersistentVolume(n, corev.ValidationOptionsForPersistentVolume(n, nil))
		update = corev.ValidatePersistentVolumeUpdate(n, o, corev.ValidationOptionsForPersistentVolume(n, o))
	case *core.PersistentVolumeClaim:
		o := old.(*core.PersistentVolumeClaim)
		create = corev.ValidatePersistentVolumeClaim(n, corev.ValidationOptionsForPersistentVolumeClaimCreate())
		o.Status.Phase, n.Status.Phase = core.ClaimBound, core.ClaimBound
		o.Status.Capacity = core.ResourceList{"storage": o.Spec.Resources.Requests["storage"]}
		update = corev.ValidatePersistentVolumeClaimUpdate(n, o, corev.ValidationOptionsForPersistentVolumeClaim(n, o))
	case *core.Service:
		o := old.(*core.Service)
		allocate(o, nil)
		allocate(n, o)
		create, update = field.ErrorList{}, corev.ValidateServiceUpdate(n, o)
		c := n.DeepCopy()
		create = corev.ValidateServiceCreate(c)
	case *rbac.Role:
		create, update = rbacv.ValidateRole(n), rbacv.ValidateRoleUpdate(n, old.(*rbac.Role))
	case *rbac.RoleBinding:
		create, update = rbacv.ValidateRoleBinding(n), rbacv.ValidateRoleBindingUpdate(n, old.(*rbac.RoleBinding))
	case *rbac.ClusterRoleBinding:
		create, update = rbacv.ValidateClusterRoleBinding(n), rbacv.ValidateClusterRoleBindingUpdate(n, old.(*rbac.ClusterRoleBinding))
	case *storage.StorageClass:
		create, update = storagev.ValidateStorageClass(n), storagev.ValidateStorageClassUpdate(n, old.(*storage.StorageClass))
	case *storage.VolumeAttachment:
		create, update = storagev.ValidateVolumeAttachment(n), storagev.ValidateVolumeAttachmentUpdate(n, old.(*storage.VolumeAttachment))
	case *storage.VolumeAttributesClass:
		create, update = storagev.ValidateVolumeAttributesClass(n), storagev.ValidateVolumeAttributesClassUpdate(n, old.(*storage.VolumeAttributesClass))
	case *storage.CSIDriver:
		create, update = storagev.ValidateCSIDriver(n), storagev.ValidateCSIDriverUpdate(n, old.(*storage.CSIDriver))
	case *storage.CSINode:
		create, update = storagev.ValidateCSINode(n), storagev.ValidateCSINodeUpdate(n, old.(*storage.CSINode))
	case *storage.CSIStorageCapacity:
		create, update = storagev.ValidateCSIStorageCapacity(n, storagev.CSIStorageCapacityValidateOptions{}), storagev.ValidateCSIStorageCapacityUpdate(n, old.(*storage.CSIStorageCapacity))
	case *scheduling.PriorityClass:
		create, update = schedulingv.ValidatePriorityClass(n), schedulingv.ValidatePriorityClassUpdate(n, old.(*scheduling.PriorityClass))
	case *node.RuntimeClass:
		create, update = nodev.ValidateRuntimeClass(n), nodev.ValidateRuntimeClassUpdate(n, old.(*node.RuntimeClass))
	case *networking.Ingress:
		update = networkingv.ValidateIngressUpdate(n, old.(*networking.Ingress))
		create = networkingv.ValidateIngressCreate(n)
	case *networking.NetworkPolicy:
		create = networkingv.ValidateNetworkPolicy(n, networkingv.NetworkPolicyValidationOptions{})
		update = networkingv.ValidateNetworkPolicyUpdate(n, old.(*networking.NetworkPolicy), networkingv.NetworkPolicyValidationOptions{})
	case *networking.IngressClass:
		create, update = networkingv.ValidateIngressClass(n), networkingv.ValidateIngressClassUpdate(n, old.(*networking.IngressClass))
	case *networking.IPAddress:
		create, update = networkingv.ValidateIPAddress(n), networkingv.ValidateIPAddressUpdate(n, old.(*networking.IPAddress))
	case *networking.ServiceCIDR:
		create, update = networkingv.ValidateServiceCIDR(n), networkingv.ValidateServiceCIDRUpdate(n, old.(*networking.ServiceCIDR))
	case *discovery.EndpointSlice:
		create, update = discoveryv.ValidateEndpointSliceCreate(n), discoveryv.ValidateEndpointSliceUpdate(n, old.(*discovery.EndpointSlice))
	case *coordination.Lease:
		create, update = coordinationv.ValidateLease(n), coordinationv.ValidateLeaseUpdate(n, old.(*coordination.Lease))
	case *autoscaling.HorizontalPodAutoscaler:
		opts := autoscalingv.HorizontalPodAutoscalerSpecValidationOptions{}
		create, update = autoscalingv.ValidateHorizontalPodAutoscaler(n, opts), autoscalingv.ValidateHorizontalPodAutoscalerUpdate(n, old.(*autoscaling.HorizontalPodAutoscaler), opts)
	case *policy.PodDisruptionBudget:
		create = policyv.ValidatePodDisruptionBudget(n, policyv.PodDisruptionBudgetValidationOptions{})
		update = create
	case *certificates.ClusterTrustBundle:
		create = certificatesv.ValidateClusterTrustBundle(n, certificatesv.ValidateClusterTrustBundleOptions{})
		update = certificatesv.ValidateClusterTrustBundleUpdate(n, old.(*certificates.ClusterTrustBundle))
	case *resource.ResourceClaim:
		create, update = resourcev.ValidateResourceClaim(n), resourcev.ValidateResourceClaimUpdate(n, old.(*resource.ResourceClaim))
	case *resource.ResourceClaimTemplate:
		create, update = resourcev.ValidateResourceClaimTemplate(n), resourcev.ValidateResourceClaimTemplateUpdate(n, old.(*resource.ResourceClaimTemplate))
	case *resource.ResourceSlice:
		create, update = resourcev.ValidateResourceSlice(n), resourcev.ValidateResourceSliceUpdate(n, old.(*resource.ResourceSlice))
	case *resource.DeviceClass:
		create, update = resourcev.ValidateDeviceClass(n), resourcev.ValidateDeviceClassUpdate(n, old.(*resource.DeviceClass))
	case *apiextensions.CustomResourceDefinition:
		o := old.(*apiextensions.CustomResourceDefinition)
		ctx := context.Background()
		for _, c := range []*apiextensions.CustomResourceDefinition{o, n} {
			c.Status.StoredVersions = nil
		}
		for _, v := range o.Spec.Versions {
			if v.Storage {
				o.Status.StoredVersions = []string{v.Name}
			}
		}
		o.Status.Conditions = []apiextensions.CustomResourceDefinitionCondition{{Type: apiextensions.Established, Status: apiextensions.ConditionTrue}}
		c := n.DeepCopy()
		for _, v := range n.Spec.Versions {
			if v.Storage {
				c.Status.StoredVersions = []string{v.Name}
			}
		}
		create = apiextensionsv.ValidateCustomResourceDefinition(ctx, c)
		n.Status = *o.Status.DeepCopy()
		for _, v := range n.Spec.Versions {
			if v.Storage && !apiextensions.IsStoredVersion(n, v.Name) {
				n.Status.StoredVersions = append(n.Status.StoredVersions, v.Name)
			}
		}
		update = apiextensionsv.ValidateCustomResourceDefinitionUpdate(ctx, n, o)
	default:
		known = false
	}
	return
}

// allocate does to a Service what the registry does: it fills in what the server generates, or keeps
// what it has generated for the old one.
func allocate(s, old *core.Service) {
	single, v4 := core.IPFamilyPolicySingleStack, core.IPv4Protocol
	external := s.Spec.Type == core.ServiceTypeExternalName
	if external {
		return
	}
	wasExternal := old == nil || old.Spec.Type == core.ServiceTypeExternalName
	if s.Spec.ClusterIP == "" && len(s.Spec.ClusterIPs) == 0 {
		if wasExternal {
			s.Spec.ClusterIP = "10.96.0.77"
			s.Spec.ClusterIPs = []string{"10.96.0.77"}
		} else {
			s.Spec.ClusterIP, s.Spec.ClusterIPs = old.Spec.ClusterIP, old.Spec.ClusterIPs
		}
	}
	if len(s.Spec.ClusterIPs) == 0 {
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	}
	if s.Spec.ClusterIP == "" {
		s.Spec.ClusterIP = s.Spec.ClusterIPs[0]
	}
	if s.Spec.IPFamilyPolicy == nil {
		if wasExternal {
			s.Spec.IPFamilyPolicy = &single
		} else {
			s.Spec.IPFamilyPolicy = old.Spec.IPFamilyPolicy
		}
	}
	if len(s.Spec.IPFamilies) == 0 {
		if wasExternal {
			s.Spec.IPFamilies = []core.IPFamily{v4}
		} else {
			s.Spec.IPFamilies = old.Spec.IPFamilies
		}
	}
	local := s.Spec.Type == core.ServiceTypeLoadBalancer && s.Spec.ExternalTrafficPolicy == core.ServiceExternalTrafficPolicyLocal
	if local && s.Spec.HealthCheckNodePort == 0 {
		s.Spec.HealthCheckNodePort = 32222
		if old != nil && old.Spec.HealthCheckNodePort != 0 {
			s.Spec.HealthCheckNodePort = old.Spec.HealthCheckNodePort
		}
	}
}

func texts(errs field.ErrorList) []string {
	out := []string{}
	for _, e := range errs {
		t := e.Error()
		if len(t) > 300 {
			t = t[:300]
		}
		out = append(out, t)
	}
	return out
}

func main() {
	apiextensionsinstall.Install(legacyscheme.Scheme)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var pair struct {
			ID       int
			Old, New json.RawMessage
		}
		if err := json.Unmarshal(in.Bytes(), &pair); err != nil {
			panic(err)
		}
		answer := map[string]any{"id": pair.ID, "create": []string{}, "update": []string{}}
		func() {
			defer func() {
				if r := recover(); r != nil {
					answer["failed"] = fmt.Sprint(r)
				}
			}()
			old, err := read(pair.Old)
			if err == nil {
				var new runtime.Object
				if new, err = read(pair.New); err == nil {
					create, update, known := judge(old, new)
					if known {
						answer["create"], answer["update"] = texts(create), texts(update)
					} else {
						answer["failed"] = "kind"
					}
				}
			}
			if err != nil {
				answer["failed"] = err.Error()
			}
		}()
		out.Encode(answer)
	}
}
