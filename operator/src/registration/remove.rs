//! Takes a data source away, if it is ours.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};

use super::client::{Client, ENTITY};
use super::error::RegistrationError;
use super::observe::{data_source, same_organization};
use super::plan::refuse_removal;
use super::usage::user_of;
use super::{Record, Removed};

/// Deletes the data source. It is ours when `record` says so or when every host in its URL is one of `own_hosts` (as in
/// [`Desired::own_hosts`](super::Desired::own_hosts); may be empty). Idempotent.
///
/// # Errors
/// [`RegistrationError`]; nothing is taken for gone unless the organization that we registered in answers.
pub async fn remove(
    client: &Client,
    id: &str,
    record: Option<&Record>,
    own_hosts: &BTreeSet<String>,
) -> Result<Removed, RegistrationError> {
    same_organization(client, id, record).await?;
    let Some(live) = data_source(client, id).await? else {
        return Ok(Removed::Gone);
    };
    if let Some(refusal) = refuse_removal(own_hosts, record, &live) {
        return Ok(Removed::LeftAlone { refusal });
    }
    if let Some(user) = user_of(client, id).await? {
        return Err(RegistrationError::InUse {
            id: id.to_owned(),
            user,
        });
    }
    let answer = client
        .send(Method::DELETE, &["entities", "dataSources", id], ENTITY, None)
        .await?;
    match answer.status {
        StatusCode::NO_CONTENT | StatusCode::OK => Ok(Removed::Deleted),
        StatusCode::NOT_FOUND if data_source(client, id).await?.is_none() => Ok(Removed::Gone),
        _ => Err(answer.into_error(
            client.endpoint(),
            &format!("delete data source {id:?}"),
            &[client.token()],
        )),
    }
}
