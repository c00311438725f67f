//! Reads: who answers and may we manage, and the data source as it is.

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::Record;
use super::client::{Client, ENTITY, JSON};
use super::data_source::{DataSource, Document};
use super::detail::Detail;
use super::error::RegistrationError;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    organization_id: String,
    permissions: Vec<String>,
}

/// The id of the organization that answers, once it is sure that the token's user may manage its data sources.
///
/// GoodData hides what a user may not see behind 404. Only after this call does 404 mean that something does not exist.
pub(super) async fn organization(client: &Client) -> Result<String, RegistrationError> {
    let action = "read its own profile";
    let answer = client.send(Method::GET, &["profile"], JSON, None).await?;
    let profile: Profile = match answer.status {
        StatusCode::OK => answer
            .json(&[client.token()])
            .map_err(|detail| unexpected(client, detail))?,
        StatusCode::NOT_FOUND => {
            let (host, detail) = (client.organization_host(), answer.detail(&[client.token()]));
            return Err(RegistrationError::OrganizationNotFound { host, detail });
        }
        _ => return Err(answer.into_error(client.endpoint(), action, &[client.token()])),
    };
    if !profile.permissions.iter().any(|permission| permission == "MANAGE") {
        return Err(RegistrationError::NotAuthorized {
            action: "manage data sources".to_owned(),
            detail: Detail::finding(format!(
                "it lacks the permission MANAGE on {:?}",
                profile.organization_id
            )),
        });
    }
    Ok(profile.organization_id)
}

/// The same, refusing any organization but the one that we registered in.
pub(super) async fn same_organization(
    client: &Client,
    id: &str,
    record: Option<&Record>,
) -> Result<String, RegistrationError> {
    let answered = organization(client).await?;
    match record {
        Some(record) if record.organization != answered => Err(RegistrationError::OrganizationChanged {
            id: id.to_owned(),
            recorded: record.organization.clone(),
            endpoint: client.endpoint().to_owned(),
            answered,
        }),
        Some(_) | None => Ok(answered),
    }
}

/// The data source, or `None` when there is none.
pub(super) async fn data_source(client: &Client, id: &str) -> Result<Option<DataSource>, RegistrationError> {
    let answer = client
        .send(Method::GET, &["entities", "dataSources", id], ENTITY, None)
        .await?;
    match answer.status {
        StatusCode::OK => {
            let document: Document = answer
                .json(&[client.token()])
                .map_err(|detail| unexpected(client, detail))?;
            Ok(Some(document.data.attributes))
        }
        StatusCode::NOT_FOUND => Ok(None),
        _ => Err(answer.into_error(
            client.endpoint(),
            &format!("read data source {id:?}"),
            &[client.token()],
        )),
    }
}

pub(super) fn unexpected(client: &Client, detail: Detail) -> RegistrationError {
    RegistrationError::UnexpectedAnswer {
        endpoint: client.endpoint().to_owned(),
        detail,
    }
}
