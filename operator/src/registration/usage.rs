//! Who uses a data source: the data sets of workspaces that name it. GoodData deletes it all the same, and their reports
//! fail from then on.

use reqwest::StatusCode;
use serde::Deserialize;

use super::client::Client;
use super::error::RegistrationError;
use super::observe::unexpected;

/// How many entities GoodData lists at once.
const PAGE: usize = 250;
/// How many requests the question may cost. An organization that needs more is asked about its first workspaces.
const MAX_REQUESTS: usize = 500;

#[derive(Debug, Deserialize)]
struct Listing {
    data: Vec<Entity>,
}

#[derive(Debug, Deserialize)]
struct Entity {
    id: String,
    #[serde(default)]
    attributes: Attributes,
}

/// Of a data set; what else it has does not matter.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Attributes {
    /// `<data source>:<table>`.
    data_source_table_id: Option<String>,
    sql: Option<Sql>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sql {
    data_source_id: String,
}

impl Entity {
    fn names(&self, data_source: &str) -> bool {
        let Attributes {
            data_source_table_id: table,
            sql,
        } = &self.attributes;
        let by_table = table.as_deref().and_then(|table| table.split_once(':'));
        by_table.is_some_and(|(source, _)| source == data_source)
            || sql.as_ref().is_some_and(|sql| sql.data_source_id == data_source)
    }
}

/// The first data set that names the data source, in words; `None`: there is none.
pub(super) async fn user_of(client: &Client, id: &str) -> Result<Option<String>, RegistrationError> {
    let mut requests = 0;
    let workspaces = list(client, &["entities", "workspaces"], &mut requests).await?;
    for workspace in workspaces {
        let path = ["entities", "workspaces", &workspace.id, "datasets"];
        let data_sets = list(client, &path, &mut requests).await?;
        if let Some(user) = data_sets.iter().find(|data_set| data_set.names(id)) {
            return Ok(Some(format!(
                "the data set {:?} of the workspace {:?}",
                user.id, workspace.id
            )));
        }
    }
    Ok(None)
}

/// All pages. What is gone meanwhile has no entities.
async fn list(client: &Client, path: &[&str], requests: &mut usize) -> Result<Vec<Entity>, RegistrationError> {
    let mut entities = Vec::new();
    for page in 0.. {
        if *requests == MAX_REQUESTS {
            tracing::warn!(
                endpoint = client.endpoint(),
                "too many workspaces to ask all of them which data sources they use"
            );
            break;
        }
        *requests += 1;
        let answer = client.page(path, page, PAGE).await?;
        let listing: Listing = match answer.status {
            StatusCode::OK => answer
                .json(&[client.token()])
                .map_err(|detail| unexpected(client, detail))?,
            StatusCode::NOT_FOUND => break,
            _ => return Err(answer.into_error(client.endpoint(), "list who uses the data source", &[client.token()])),
        };
        let is_last = listing.data.len() < PAGE;
        entities.extend(listing.data);
        if is_last {
            break;
        }
    }
    Ok(entities)
}
