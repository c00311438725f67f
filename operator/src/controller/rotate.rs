//! Carries the rotation of the token on, as far as the replicas and the data sources are.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use secrecy::SecretString;

use super::asking::ask_one;
use super::register::Registration;
use crate::apply::{Applier, ApplyError};
use crate::build::{Applied, Credentials, Objects, read_tokens, token_secret};
use crate::dereference::ReplicaPod;
use crate::fleet::ValidatedFleet;
use crate::rollout;
use crate::token::{State, Tokens};

/// The tokens of a fleet whose objects were applied.
pub(super) fn tokens(applied: &Objects<Applied>) -> Option<Tokens> {
    read_tokens(applied.secrets.token.as_ref()?, Timestamp::now())
}

/// Gives callers the next token once every replica accepts it. Returns what is waited for.
pub(super) async fn switch(
    writer: &Applier<'_>,
    fleet: &ValidatedFleet,
    applied: &mut Objects<Applied>,
    set: &StatefulSet,
    pods: &[ReplicaPod],
) -> Result<Option<String>, ApplyError> {
    let Some(tokens) = tokens(applied) else { return Ok(None) };
    let Some(next) = tokens.to_be_accepted() else {
        return Ok(None);
    };
    if fleet.replicas > 0 && !rollout::is_settled(set, fleet.replicas) {
        return Ok(Some("the next token waits until every replica is ready".to_owned()));
    }
    let credentials = Credentials {
        token: Some(SecretString::from(next)),
        ..applied.credentials()
    };
    for ordinal in fleet.ordinals() {
        if let Err(unfit) = ask_one(fleet, &credentials, pods, ordinal).await {
            return Ok(Some(format!("the next token waits for replica {ordinal}: {unfit}")));
        }
    }
    write(writer, fleet, applied, &tokens.accepted(Timestamp::now())).await?;
    Ok(None)
}

/// Drops the old token once every data source has the new one. Returns what is waited for.
pub(super) async fn settle(
    writer: &Applier<'_>,
    fleet: &ValidatedFleet,
    applied: &mut Objects<Applied>,
    registration: &Registration,
) -> Result<Option<String>, ApplyError> {
    let Some(tokens) = tokens(applied) else { return Ok(None) };
    match tokens.state {
        State::Settled { .. } | State::Introduced { .. } => return Ok(None),
        State::Switched { .. } => {}
    }
    if let Some(source) = registration.sources.iter().find(|source| source.trouble.is_some()) {
        return Ok(Some(format!(
            "the old token stays until data source {} has the new one",
            source.id
        )));
    }
    write(writer, fleet, applied, &tokens.handed_out()).await?;
    Ok(None)
}

async fn write(
    writer: &Applier<'_>,
    fleet: &ValidatedFleet,
    applied: &mut Objects<Applied>,
    tokens: &Tokens,
) -> Result<(), ApplyError> {
    let written = writer
        .secret(token_secret(fleet, tokens), applied.secrets.token.as_ref())
        .await?;
    applied.secrets.token = Some(written);
    Ok(())
}
