//! Images and when they are pulled.

use flexconnect_crds::{ServerContainer, Upgrade};

use super::Errors;

/// The image of the server: the one that is written, else the one that runs, else the operator's.
pub(super) fn of_server<'a>(server: &'a ServerContainer, running: Option<&'a str>, operators: &'a str) -> &'a str {
    match (server.image.as_deref(), server.upgrade, running) {
        (Some(image), Upgrade::Manual | Upgrade::WithOperator, _) => image,
        (None, Upgrade::Manual, Some(running)) => running,
        (None, Upgrade::Manual, None) | (None, Upgrade::WithOperator, _) => operators,
    }
}

pub(super) fn validate(field: &str, image: &str, errors: &mut Errors) -> bool {
    let valid = !image.is_empty() && !image.contains(char::is_whitespace);
    if !valid {
        errors.field(field, "must name an image, without white space");
    }
    valid
}

pub(super) fn validate_policy(field: &str, policy: Option<&str>, errors: &mut Errors) {
    if let Some(policy) = policy.filter(|policy| !["Always", "IfNotPresent", "Never"].contains(policy)) {
        errors.field(field, format!("must be Always, IfNotPresent or Never, not {policy:?}"));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::written(Some("mine:1"), Upgrade::Manual, Some("old:1"), "mine:1")]
    #[case::a_new_fleet(None, Upgrade::Manual, None, "operators:2")]
    #[case::an_upgrade_of_the_operator_restarts_nothing(None, Upgrade::Manual, Some("old:1"), "old:1")]
    #[case::unless_asked_to(None, Upgrade::WithOperator, Some("old:1"), "operators:2")]
    fn the_image_of_a_fleet(
        #[case] image: Option<&str>,
        #[case] upgrade: Upgrade,
        #[case] running: Option<&str>,
        #[case] expected: &str,
    ) {
        let server = ServerContainer {
            image: image.map(str::to_owned),
            upgrade,
            ..ServerContainer::default()
        };
        assert_eq!(of_server(&server, running, "operators:2"), expected);
    }
}
