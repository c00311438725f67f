//! What can go wrong between the operator and GoodData, and what that means for the next attempt.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use super::detail::Detail;

/// When another attempt makes sense. This alone decides retry and event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Goes away by itself: retry with back-off.
    Transient,
    /// Somebody has to change something outside of the object (a token, a permission, a data source): retry slowly.
    Blocked,
    /// The object itself has to change: retry when it does, or when a Secret it names does.
    Terminal,
}

/// One stable word for conditions, events and metric labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is described by the variant of `RegistrationError` that carries it"
)]
pub enum Reason {
    InvalidConnection,
    NoReplicas,
    NotLeading,
    Unreachable,
    Unavailable,
    RateLimited,
    Unauthorized,
    NotAuthorized,
    OrganizationNotFound,
    OrganizationChanged,
    Conflict,
    ForeignDataSource,
    InUse,
    Rejected,
    UnexpectedAnswer,
    ConnectionTestFailed,
}

impl Reason {
    /// The word itself, in Pascal case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidConnection => "InvalidConnection",
            Self::NoReplicas => "NoReplicas",
            Self::NotLeading => "NotLeading",
            Self::Unreachable => "Unreachable",
            Self::Unavailable => "Unavailable",
            Self::RateLimited => "RateLimited",
            Self::Unauthorized => "Unauthorized",
            Self::NotAuthorized => "NotAuthorized",
            Self::OrganizationNotFound => "OrganizationNotFound",
            Self::OrganizationChanged => "OrganizationChanged",
            Self::Conflict => "Conflict",
            Self::ForeignDataSource => "ForeignDataSource",
            Self::InUse => "InUse",
            Self::Rejected => "Rejected",
            Self::UnexpectedAnswer => "UnexpectedAnswer",
            Self::ConnectionTestFailed => "ConnectionTestFailed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a data source that exists is not touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// GoodData's platform manages it.
    #[error("it is managed by the GoodData platform")]
    Managed,
    /// It is of another type, and a type never changes.
    #[error("it is of the type {kind:?}, not FLEXCONNECT")]
    OtherType {
        /// The type it has.
        kind: String,
    },
    /// Nothing shows that it is ours, and the adoption policy does not allow to take it.
    #[error("it exists already and is not registered by this object")]
    Foreign,
    /// An older object has it.
    #[error("it belongs to the older FlexConnectServer {older}")]
    Taken {
        /// The namespace and name of that object.
        older: String,
    },
}

/// Why a pass over a data source stopped. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// Endpoint, host header, CA or token cannot be used as they are.
    #[error("the connection to GoodData cannot be used: {0}")]
    InvalidConnection(String),

    /// There is no URL to register.
    #[error("no replica has a URL that could be registered")]
    NoReplicas,

    /// Another operator may lead by now, and writes what is to be written.
    #[error("this operator does not lead any more, and changes nothing")]
    NotLeading,

    /// No answer: DNS, TCP, TLS or time. A write may or may not have happened.
    #[error("cannot reach GoodData at {endpoint}")]
    Unreachable {
        /// The endpoint that was asked.
        endpoint: String,
        /// What the HTTP client said, without the URL.
        source: reqwest::Error,
    },

    /// A fault on the other side (5xx). A write may or may not have happened.
    #[error("GoodData at {endpoint} is not available: {detail}")]
    Unavailable {
        /// The endpoint that was asked.
        endpoint: String,
        /// What it said.
        detail: Detail,
    },

    /// Too many requests (429).
    #[error("GoodData at {endpoint} limits the rate of requests: {detail}")]
    RateLimited {
        /// The endpoint that was asked.
        endpoint: String,
        /// How long to wait, when the answer says it; at most one hour.
        retry_after: Option<Duration>,
        /// What it said.
        detail: Detail,
    },

    /// The API token is not accepted (401, or a redirect to a login page).
    #[error("GoodData at {endpoint} does not accept the API token: {detail}")]
    Unauthorized {
        /// The endpoint that was asked.
        endpoint: String,
        /// What it said.
        detail: Detail,
    },

    /// The token's user may not manage data sources, or not this one.
    #[error("the user of the API token may not {action}: {detail}")]
    NotAuthorized {
        /// What was tried.
        action: String,
        /// What GoodData said, or what we saw.
        detail: Detail,
    },

    /// No organization lives under the host that was asked for.
    #[error("no GoodData organization answers at the host {host:?}: {detail}")]
    OrganizationNotFound {
        /// The host name that selects the organization.
        host: String,
        /// What the answer said.
        detail: Detail,
    },

    /// Endpoint or token lead to another organization than the one that holds our data source.
    #[error(
        "data source {id:?} was registered in the organization {recorded:?}, but {endpoint} now answers for {answered:?}"
    )]
    OrganizationChanged {
        /// The data source.
        id: String,
        /// Where it was registered.
        recorded: String,
        /// The endpoint that was asked.
        endpoint: String,
        /// Who answered.
        answered: String,
    },

    /// Somebody else writes the same data source at the same time.
    #[error("data source {id:?} is changed by somebody else at the same time")]
    Conflict {
        /// The data source.
        id: String,
    },

    /// The data source is not ours to touch.
    #[error("data source {id:?} is left alone: {refusal}")]
    ForeignDataSource {
        /// The data source.
        id: String,
        /// Why.
        refusal: Refusal,
    },

    /// Deleted, it would break reports.
    #[error("data source {id:?} is not deleted: {user} names it")]
    InUse {
        /// The data source.
        id: String,
        /// Who uses it, in words.
        user: String,
    },

    /// GoodData refuses what we sent (400 and other 4xx).
    #[error("GoodData refuses to {action}: {detail}")]
    Rejected {
        /// What was tried.
        action: String,
        /// What it said.
        detail: Detail,
    },

    /// An answer that GoodData's API does not give. A write may or may not have happened.
    #[error("{endpoint} gave an answer that GoodData does not give: {detail}")]
    UnexpectedAnswer {
        /// The endpoint that was asked.
        endpoint: String,
        /// What was strange about it.
        detail: Detail,
    },
}

impl RegistrationError {
    /// When another attempt makes sense.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::NotLeading
            | Self::Unreachable { .. }
            | Self::Unavailable { .. }
            | Self::RateLimited { .. }
            | Self::Conflict { .. }
            | Self::UnexpectedAnswer { .. } => Class::Transient,
            Self::NoReplicas
            | Self::Unauthorized { .. }
            | Self::NotAuthorized { .. }
            | Self::OrganizationNotFound { .. }
            | Self::OrganizationChanged { .. }
            | Self::ForeignDataSource { .. }
            | Self::InUse { .. } => Class::Blocked,
            Self::InvalidConnection(_) | Self::Rejected { .. } => Class::Terminal,
        }
    }

    /// The word for conditions, events and metrics.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::InvalidConnection(_) => Reason::InvalidConnection,
            Self::NoReplicas => Reason::NoReplicas,
            Self::NotLeading => Reason::NotLeading,
            Self::Unreachable { .. } => Reason::Unreachable,
            Self::Unavailable { .. } => Reason::Unavailable,
            Self::RateLimited { .. } => Reason::RateLimited,
            Self::Unauthorized { .. } => Reason::Unauthorized,
            Self::NotAuthorized { .. } => Reason::NotAuthorized,
            Self::OrganizationNotFound { .. } => Reason::OrganizationNotFound,
            Self::OrganizationChanged { .. } => Reason::OrganizationChanged,
            Self::Conflict { .. } => Reason::Conflict,
            Self::ForeignDataSource { .. } => Reason::ForeignDataSource,
            Self::InUse { .. } => Reason::InUse,
            Self::Rejected { .. } => Reason::Rejected,
            Self::UnexpectedAnswer { .. } => Reason::UnexpectedAnswer,
        }
    }

    /// One sentence for a condition: the error, and the innermost cause when there is one.
    #[must_use]
    pub fn message(&self) -> String {
        let mut innermost = self.source();
        while let Some(cause) = innermost.and_then(std::error::Error::source) {
            innermost = Some(cause);
        }
        match innermost {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// How long GoodData asks us to wait before the next attempt.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => *retry_after,
            Self::InvalidConnection(_)
            | Self::NoReplicas
            | Self::NotLeading
            | Self::Unreachable { .. }
            | Self::Unavailable { .. }
            | Self::Unauthorized { .. }
            | Self::NotAuthorized { .. }
            | Self::OrganizationNotFound { .. }
            | Self::OrganizationChanged { .. }
            | Self::Conflict { .. }
            | Self::ForeignDataSource { .. }
            | Self::InUse { .. }
            | Self::Rejected { .. }
            | Self::UnexpectedAnswer { .. } => None,
        }
    }

    /// Whether a write that ended this way may have been carried out all the same.
    pub(super) fn leaves_doubt(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !source.is_connect() && !source.is_builder(),
            Self::Unavailable { .. } | Self::UnexpectedAnswer { .. } => true,
            Self::InvalidConnection(_)
            | Self::NoReplicas
            | Self::NotLeading
            | Self::RateLimited { .. }
            | Self::Unauthorized { .. }
            | Self::NotAuthorized { .. }
            | Self::OrganizationNotFound { .. }
            | Self::OrganizationChanged { .. }
            | Self::Conflict { .. }
            | Self::ForeignDataSource { .. }
            | Self::InUse { .. }
            | Self::Rejected { .. } => false,
        }
    }
}
