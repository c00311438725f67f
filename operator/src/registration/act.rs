//! One pass over a data source: observe, plan, write, have GoodData test it.

use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;

use super::answer::Answer;
use super::client::{Client, ENTITY, JSON};
use super::data_source::{Attributes, DataSource, Document};
use super::detail::{Detail, clean};
use super::error::RegistrationError;
use super::fingerprint::fingerprint;
use super::observe::{data_source, same_organization, unexpected};
use super::plan::{Plan, looks_like, plan};
use super::{Desired, Record, Registered, TestOutcome};

/// Looks at the data source again this often when a write meets somebody else's, or is lost on its way.
const ROUNDS: usize = 3;

/// Makes the data source what it shall be, and says what was done. Idempotent: nothing is written, and nothing tested,
/// when nothing differs.
///
/// # Errors
/// [`RegistrationError`]; the fleet itself is not affected by any of them. After an error the old record stays valid.
pub async fn reconcile(
    client: &Client,
    desired: &Desired,
    record: Option<&Record>,
) -> Result<Registered, RegistrationError> {
    if desired.urls.is_empty() {
        return Err(RegistrationError::NoReplicas);
    }
    let organization = same_organization(client, &desired.id, record).await?;
    let pass = Pass {
        client,
        desired,
        organization,
        hash: fingerprint(desired, client.token()),
    };
    pass.run(record.cloned()).await
}

/// Has GoodData dial the registered URLs. It takes as long as GoodData takes, at most 90 s.
pub async fn test(client: &Client, id: &str) -> TestOutcome {
    #[derive(Deserialize)]
    struct Outcome {
        successful: bool,
        error: Option<String>,
    }
    let path = ["actions", "dataSources", id, "test"];
    let answer = match client
        .send_within(client.timeouts().test, Method::POST, &path, JSON, Some(&json!({})))
        .await
    {
        Ok(answer) if answer.status == StatusCode::OK => answer,
        Ok(answer) => {
            let error = answer.into_error(client.endpoint(), "test the data source", &[client.token()]);
            return TestOutcome::Unknown {
                message: error.message(),
            };
        }
        Err(error) => {
            return TestOutcome::Unknown {
                message: error.message(),
            };
        }
    };
    match answer.json::<Outcome>(&[client.token()]) {
        Ok(Outcome { successful: true, .. }) => TestOutcome::Succeeded,
        Ok(Outcome {
            successful: false,
            error,
        }) => {
            let error = error.unwrap_or_else(|| "GoodData gives no reason".to_owned());
            TestOutcome::Failed {
                message: clean(&error, &[client.token()]),
            }
        }
        Err(detail) => TestOutcome::Unknown {
            message: unexpected(client, detail).message(),
        },
    }
}

/// Tells GoodData that the data behind the data source changed: cached results are not used any more.
///
/// # Errors
/// [`RegistrationError`]; the data source itself is as it was.
pub async fn notify(client: &Client, id: &str) -> Result<(), RegistrationError> {
    let path = ["actions", "dataSources", id, "uploadNotification"];
    let answer = client.send(Method::POST, &path, JSON, None).await?;
    match answer.status {
        StatusCode::NO_CONTENT | StatusCode::OK => Ok(()),
        _ => Err(answer.into_error(client.endpoint(), "notify of new data", &[client.token()])),
    }
}

/// What stays the same during one pass.
struct Pass<'a> {
    client: &'a Client,
    desired: &'a Desired,
    organization: String,
    hash: String,
}

impl Pass<'_> {
    async fn run(&self, mut record: Option<Record>) -> Result<Registered, RegistrationError> {
        let id = self.desired.id.as_str();
        let mut writes = 0;
        let mut live = data_source(self.client, id).await?;
        for _ in 0..ROUNDS {
            match plan(self.desired, &self.hash, record.as_ref(), live.as_ref()) {
                Plan::Nothing => return Ok(self.registered(&live.unwrap_or_default(), writes).await),
                Plan::Refuse { reason } => {
                    return Err(RegistrationError::ForeignDataSource {
                        id: id.to_owned(),
                        refusal: reason,
                    });
                }
                Plan::Create => {
                    writes += 1;
                    match self.create().await {
                        Ok(Created::Done(created)) => return Ok(self.registered(&created, writes).await),
                        Ok(Created::Exists(answer)) => {
                            live = data_source(self.client, id).await?;
                            if live.is_none() {
                                return Err(self.hidden("see", Some(&answer)));
                            }
                        }
                        Err(error) if error.leaves_doubt() => {
                            live = data_source(self.client, id).await?;
                            match &live {
                                None => return Err(error),
                                Some(found) => record = record.or_else(|| self.provisional_record(found)),
                            }
                        }
                        Err(error) => return Err(error),
                    }
                }
                Plan::Patch { attributes } => {
                    writes += 1;
                    if let Some(patched) = self.patch(&attributes).await? {
                        return Ok(self.registered(&patched, writes).await);
                    }
                    live = data_source(self.client, id).await?;
                    if live.is_some() {
                        return Err(self.hidden("change", None));
                    }
                }
            }
        }
        Err(RegistrationError::Conflict { id: id.to_owned() })
    }

    async fn create(&self) -> Result<Created, RegistrationError> {
        let document = Attributes::all(self.desired).document(&self.desired.id);
        let answer = self
            .client
            .send(Method::POST, &["entities", "dataSources"], ENTITY, Some(&document))
            .await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::OK => self.read(&answer).map(Created::Done),
            StatusCode::CONFLICT => Ok(Created::Exists(answer)),
            StatusCode::NOT_FOUND => Err(RegistrationError::NotAuthorized {
                action: format!("create data source {:?}", self.desired.id),
                detail: answer.detail(&self.secrets()),
            }),
            _ => Err(self.error(answer, "create")),
        }
    }

    /// `None` when it is not there any more.
    async fn patch(&self, attributes: &Attributes) -> Result<Option<DataSource>, RegistrationError> {
        let id = self.desired.id.as_str();
        let document = attributes.document(id);
        let answer = self
            .client
            .send(Method::PATCH, &["entities", "dataSources", id], ENTITY, Some(&document))
            .await?;
        match answer.status {
            StatusCode::OK => self.read(&answer).map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.error(answer, "change")),
        }
    }

    async fn registered(&self, live: &DataSource, writes: u32) -> Registered {
        let tested = if writes == 0 {
            TestOutcome::NotTested
        } else {
            test(self.client, &self.desired.id).await
        };
        let url = live.url.clone().unwrap_or_default();
        let record = Record {
            organization: self.organization.clone(),
            hash: self.hash.clone(),
            url,
        };
        Registered { record, writes, tested }
    }

    /// A create without an answer, and now there is one that looks exactly like ours: it is ours. Its empty hash makes
    /// the next round send the token, which nobody can read back.
    fn provisional_record(&self, found: &DataSource) -> Option<Record> {
        looks_like(self.desired, found).then(|| Record {
            organization: self.organization.clone(),
            hash: String::new(),
            url: found.url.clone().unwrap_or_default(),
        })
    }

    fn read(&self, answer: &Answer) -> Result<DataSource, RegistrationError> {
        let document: Document = answer
            .json(&self.secrets())
            .map_err(|detail: Detail| unexpected(self.client, detail))?;
        Ok(document.data.attributes)
    }

    fn error(&self, answer: Answer, verb: &str) -> RegistrationError {
        let action = format!("{verb} data source {:?}", self.desired.id);
        answer.into_error(self.client.endpoint(), &action, &self.secrets())
    }

    /// GoodData says one moment that it exists, the next that it does not: that is how a missing right looks.
    fn hidden(&self, verb: &str, answer: Option<&Answer>) -> RegistrationError {
        let said = answer.map(|answer| answer.detail(&self.secrets()));
        RegistrationError::NotAuthorized {
            action: format!("{verb} data source {:?}, which exists", self.desired.id),
            detail: said.unwrap_or_else(|| Detail::finding("GoodData hides it behind \"not found\"")),
        }
    }

    fn secrets(&self) -> [&str; 2] {
        let flight = self.desired.token.as_ref().map_or("", |token| token.expose_secret());
        [self.client.token(), flight]
    }
}

enum Created {
    Done(DataSource),
    Exists(Answer),
}
