//! Workspaces and their datasets, as far as they tell which data source is in use.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::sandbox::Dataset;
use crate::state::{Shared, lock};

use super::auth::Caller;
use super::listing::Listing;
use super::media::Media;
use super::problem::Problem;
use super::resource::Resource;

const COLLECTION: &str = "/api/v1/entities/workspaces";

pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    media: Media,
    listing: Listing,
) -> Response {
    let visible = match caller {
        Caller::Manager => lock(&state.workspaces).keys().map(|id| workspace(id)).collect(),
        Caller::Viewer => Vec::new(),
    };
    media.answer(StatusCode::OK, &listing.page_of(visible))
}

pub(crate) async fn list_datasets(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    media: Media,
    listing: Listing,
) -> Result<Response, Problem> {
    let datasets = match caller {
        Caller::Manager => lock(&state.workspaces).get(&id).cloned(),
        Caller::Viewer => None,
    };
    let datasets = datasets.ok_or_else(Problem::not_found)?;
    let datasets = datasets.iter().map(|of| dataset(&id, of)).collect();
    Ok(media.answer(StatusCode::OK, &listing.page_of(datasets)))
}

fn workspace(id: &str) -> Resource {
    Resource {
        kind: "workspace",
        id: id.to_owned(),
        attributes: Map::from_iter([("name".to_owned(), Value::from(id))]),
        permissions: &["MANAGE"],
        collection: COLLECTION.to_owned(),
    }
}

fn dataset(workspace: &str, dataset: &Dataset) -> Resource {
    let Dataset {
        id,
        data_source_id,
        table_id,
    } = dataset;
    let mut attributes = Map::new();
    if let Some(table) = table_id {
        attributes.insert(
            "dataSourceTableId".to_owned(),
            Value::from(format!("{data_source_id}:{table}")),
        );
        attributes.insert("dataSourceTablePath".to_owned(), json!([table]));
    } else {
        let sql = json!({ "dataSourceId": data_source_id, "statement": "select 1" });
        attributes.insert("sql".to_owned(), sql);
    }
    attributes.insert("title".to_owned(), Value::from(id.as_str()));
    attributes.insert("type".to_owned(), Value::from("NORMAL"));
    Resource {
        kind: "dataset",
        id: id.clone(),
        attributes,
        permissions: &["MANAGE"],
        collection: format!("{COLLECTION}/{workspace}/datasets"),
    }
}
