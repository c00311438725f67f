//! What guards, scales and stops a fleet.

use anyhow::Result;
use flexconnect_control_plane_tests::{World, eventually};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::json;

async fn gone<K>(world: &World) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api = world.api::<K>();
    let look = async || Ok(api.get_opt("sales").await?.map(|object| object.name_any()));
    eventually("it is gone", look, Option::is_none).await?;
    Ok(())
}

#[tokio::test]
async fn what_guards_a_fleet_comes_and_goes_with_its_fields() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["server"]["resources"] = json!({"requests": {"cpu": "100m"}});
    fleet.0["spec"]["disruptionBudget"] = json!({"maxUnavailable": "50%"});
    fleet.0["spec"]["autoscaling"] = json!({"minReplicas": 4, "maxReplicas": 5, "queueLength": 10});
    fleet.0["spec"]["networkPolicy"] = json!({"from": [{"namespaceSelector": {}}]});
    fleet.0["spec"]["podTemplate"] = json!({"spec": {"priorityClassName": "system-cluster-critical"}});
    world.apply_and_register(&fleet).await?;
    world
        .object("sales", "a budget", |_: &PodDisruptionBudget| true)
        .await?;
    world
        .object("sales", "an autoscaler", |_: &HorizontalPodAutoscaler| true)
        .await?;
    world
        .object("sales", "a network policy", |_: &NetworkPolicy| true)
        .await?;
    let set = world.api::<StatefulSet>().get("sales").await?.spec.unwrap();
    assert_eq!(set.replicas, Some(4), "as many as the autoscaler wants at least");
    assert_eq!(
        set.template.spec.unwrap().priority_class_name.as_deref(),
        Some("system-cluster-critical")
    );

    world.pass().await?;
    let writes = world.operator_writes();
    world.pass().await?;
    assert_eq!(
        world.operator_writes() - writes,
        0,
        "a pass over an unchanged fleet writes nothing"
    );

    for field in ["disruptionBudget", "autoscaling", "networkPolicy", "podTemplate"] {
        fleet.0["spec"].as_object_mut().unwrap().remove(field);
    }
    world.apply(&fleet).await?;
    gone::<HorizontalPodAutoscaler>(&world).await?;
    gone::<NetworkPolicy>(&world).await?;
    let is_default = |budget: &PodDisruptionBudget| {
        budget.spec.as_ref().unwrap().max_unavailable
            == Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(1))
    };
    world
        .object("sales", "the budget that everybody has", is_default)
        .await?;
    world.end().await
}

#[tokio::test]
async fn a_paused_fleet_is_left_alone() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    world.apply_and_register(&fleet).await?;
    fleet.0["spec"]["paused"] = json!(true);
    fleet.0["spec"]["replicas"] = json!(1);
    world.apply(&fleet).await?;
    world.condition("Paused", "True", "Paused").await?;
    let set = world.api::<StatefulSet>().get("sales").await?;
    assert_eq!(set.spec.unwrap().replicas, Some(3));
    assert_eq!(world.registered_url(), Some(world.url_of(3)));

    fleet.0["spec"]["paused"] = json!(false);
    world.apply(&fleet).await?;
    world.condition("Paused", "False", "Resumed").await?;
    world
        .object::<StatefulSet>("sales", "one replica", |set| {
            set.spec.as_ref().unwrap().replicas == Some(1)
        })
        .await?;
    world.end().await
}
