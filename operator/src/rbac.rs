//! What the operator may do: one table, from which config/rbac is generated and by which the tests run.

use std::fmt::Write as _;

use crate::build::OPERATOR;

/// Where config/default installs the operator.
pub const NAMESPACE: &str = "flexconnect-system";
/// The Lease of the operator that leads.
pub const LEASE: &str = OPERATOR;

/// One rule of a role.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resources.
    pub resources: &'static [&'static str],
    /// What may be done with them.
    pub verbs: &'static [&'static str],
    /// Why; empty where it is plain.
    pub why: &'static str,
    /// Whether a namespace can hold it. What cannot is only granted for all namespaces.
    pub is_namespaced: bool,
}

const fn rule(
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    why: &'static str,
) -> Rule {
    Rule {
        group,
        resources,
        verbs,
        why,
        is_namespaced: true,
    }
}

/// What the operator does in the namespaces that it looks after.
pub const RULES: &[Rule] = &[
    rule(
        "flexconnect.dev",
        &["flexconnectservers"],
        &["get", "list", "watch", "patch"],
        "patch: the finalizer",
    ),
    rule("flexconnect.dev", &["flexconnectservers/status"], &["patch"], ""),
    rule(
        "flexconnect.dev",
        &["flexconnectservers/finalizers"],
        &["update"],
        "to own children where OwnerReferencesPermissionEnforcement is on",
    ),
    rule(
        "apps",
        &["statefulsets"],
        &["get", "list", "watch", "create", "patch", "delete"],
        "delete: without the pods, where a field cannot be changed",
    ),
    rule(
        "",
        &["services"],
        &["get", "list", "watch", "create", "patch", "delete"],
        "",
    ),
    rule("", &["configmaps"], &["get", "create", "patch"], ""),
    rule(
        "",
        &["secrets"],
        &["get", "create", "patch", "delete"],
        "by name: neither list nor watch",
    ),
    rule(
        "policy",
        &["poddisruptionbudgets"],
        &["get", "create", "patch", "delete"],
        "",
    ),
    rule(
        "autoscaling",
        &["horizontalpodautoscalers"],
        &["get", "create", "patch", "delete"],
        "",
    ),
    rule(
        "networking.k8s.io",
        &["networkpolicies"],
        &["get", "create", "patch", "delete"],
        "",
    ),
    rule(
        "",
        &["pods"],
        &["list", "delete"],
        "which replicas are ready; delete: those that stand in the way of a roll-out",
    ),
    Rule {
        is_namespaced: false,
        ..rule("", &["namespaces"], &["get"], "whether one is being deleted")
    },
    rule("events.k8s.io", &["events"], &["create", "patch"], ""),
];

/// For whom the roles are.
#[derive(Clone, Debug)]
pub struct Roles {
    /// The namespaces to look after; none: all of them.
    pub namespaces: Vec<String>,
    /// Where the operator's service account and its Lease are.
    pub operator_namespace: String,
    /// The name of the Lease.
    pub lease: String,
}

impl Default for Roles {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            operator_namespace: NAMESPACE.to_owned(),
            lease: LEASE.to_owned(),
        }
    }
}

impl Roles {
    /// The roles and their bindings, as YAML to apply.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut text = "# Generated from operator/src/rbac.rs by `flexconnect-operator rbac`. Do not edit.\n\
             #\n\
             # What the operator may do, and nothing else. Whoever may create a FlexConnectServer may, through it, create \
             pods and use\n# every Secret of that namespace.\n"
            .to_owned();
        if self.namespaces.is_empty() {
            self.role(&mut text, OPERATOR, None, &rules(RULES, |_| true));
        }
        for namespace in &self.namespaces {
            text.push_str(if text.contains("kind:") { "---\n" } else { "" });
            self.role(
                &mut text,
                OPERATOR,
                Some(namespace),
                &rules(RULES, |rule| rule.is_namespaced),
            );
        }
        text.push_str("---\n");
        let lease = format!(
            "  - apiGroups: [coordination.k8s.io]\n    resources: [leases]\n    verbs: [create] # a name cannot be told here\n  \
             - apiGroups: [coordination.k8s.io]\n    resources: [leases]\n    resourceNames: [{}]\n    verbs: [get, update]\n",
            self.lease
        );
        let name = format!("{OPERATOR}-lease");
        self.role(&mut text, &name, Some(&self.operator_namespace), &lease);
        text
    }

    /// One role and its binding.
    fn role(&self, text: &mut String, name: &str, namespace: Option<&str>, rules: &str) {
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let place = namespace
            .map(|namespace| format!("  namespace: {namespace}\n"))
            .unwrap_or_default();
        let metadata = format!("metadata:\n  name: {name}\n{place}  labels:\n    app.kubernetes.io/name: {OPERATOR}\n");
        let api = "apiVersion: rbac.authorization.k8s.io/v1\n";
        let binding = format!(
            "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {name}\n\
             subjects:\n  - kind: ServiceAccount\n    name: {OPERATOR}\n    namespace: {}\n",
            self.operator_namespace
        );
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "{api}kind: {kind}\n{metadata}rules:\n{rules}---\n{api}kind: {kind}Binding\n{metadata}{binding}"
        );
    }
}

fn rules(rules: &[Rule], wanted: impl Fn(&Rule) -> bool) -> String {
    let mut text = String::new();
    for rule in rules.iter().filter(|rule| wanted(rule)) {
        let group = if rule.group.is_empty() { "\"\"" } else { rule.group };
        let why = if rule.why.is_empty() {
            String::new()
        } else {
            format!(" # {}", rule.why)
        };
        let _ = writeln!(
            text,
            "  - apiGroups: [{group}]\n    resources: [{}]\n    verbs: [{}]{why}",
            rule.resources.join(", "),
            rule.verbs.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::Value;

    use super::*;

    fn documents(roles: &Roles) -> Vec<Value> {
        let text = roles.yaml();
        serde_yaml::Deserializer::from_str(&text)
            .map(|document| Value::deserialize(document).unwrap())
            .collect()
    }

    fn kinds(documents: &[Value]) -> Vec<(&str, Option<&str>)> {
        documents
            .iter()
            .map(|document| {
                (
                    document["kind"].as_str().unwrap(),
                    document["metadata"]["namespace"].as_str(),
                )
            })
            .collect()
    }

    #[test]
    fn all_namespaces_take_one_role() {
        let documents = documents(&Roles::default());
        assert_eq!(
            kinds(&documents),
            [
                ("ClusterRole", None),
                ("ClusterRoleBinding", None),
                ("Role", Some(NAMESPACE)),
                ("RoleBinding", Some(NAMESPACE))
            ]
        );
        assert_eq!(documents[0]["rules"].as_array().unwrap().len(), RULES.len());
    }

    #[test]
    fn some_namespaces_take_a_role_each_and_nothing_of_the_cluster() {
        let roles = Roles {
            namespaces: vec!["a".to_owned(), "b".to_owned()],
            ..Roles::default()
        };
        let documents = documents(&roles);
        let places = kinds(&documents);
        assert_eq!(places.len(), 6);
        assert!(
            places
                .iter()
                .all(|(kind, namespace)| !kind.starts_with("Cluster") && namespace.is_some())
        );
        assert!(!roles.yaml().contains("namespaces]"), "a namespace holds no namespaces");
    }

    #[test]
    fn nobody_lists_secrets_and_nothing_is_granted_by_a_star() {
        for rule in RULES {
            let is_about_secrets = rule.resources.contains(&"secrets");
            assert!(
                !is_about_secrets
                    || !rule
                        .verbs
                        .iter()
                        .any(|verb| ["list", "watch", "deletecollection"].contains(verb))
            );
            let words = rule.verbs.iter().chain(rule.resources).chain([&rule.group]);
            assert!(words.clone().all(|word| !word.contains('*')), "{rule:?}");
            assert!(
                !rule.resources.iter().any(|resource| resource.starts_with("pods/")),
                "{rule:?}"
            );
        }
    }
}
