//! Why a pass ended early. Its class alone decides when the next one comes.

use std::error::Error as _;

use kube::core::Status;
use thiserror::Error;

use crate::apply::ApplyError;
use crate::build::TlsError;
use crate::registration::Class;

/// Why a pass ended early.
#[derive(Debug, Error)]
pub enum PassError {
    /// Something could not be read.
    #[error("failed to read from the API server")]
    Read(#[source] Box<kube::Error>),
    /// The finalizer could not be set or taken away.
    #[error("failed to change the finalizers of the object")]
    Finalizer(#[source] Box<kube::Error>),
    /// The status could not be written.
    #[error("failed to write the status of the object")]
    Status(#[source] Box<kube::Error>),
    /// A key or certificate could not be made.
    #[error("failed to build the fleet")]
    Build(#[from] TlsError),
    /// A child could not be written.
    #[error("failed to apply the fleet")]
    Apply(#[from] ApplyError),
    /// The pass took too long: somebody does not answer.
    #[error("the pass took too long, and was given up")]
    TimedOut,
}

impl PassError {
    /// When another attempt makes sense.
    #[must_use]
    pub fn class(&self) -> Class {
        match (self, self.answer()) {
            (Self::Build(_) | Self::Apply(ApplyError::Foreign { .. }), _) => Class::Blocked,
            (_, Some(answer)) => class_of(answer),
            (_, None) => Class::Transient,
        }
    }

    /// Whether somebody else changed the object at the same time, which is normal.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.answer().is_some_and(Status::is_conflict)
    }

    /// Whether the API server did not answer at all.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::Build(_) | Self::Apply(ApplyError::Foreign { .. }) => false,
            Self::Read(_) | Self::Finalizer(_) | Self::Status(_) | Self::Apply(ApplyError::Request { .. }) => {
                self.answer().is_none()
            }
        }
    }

    /// What the API server answered, where it did.
    fn answer(&self) -> Option<&Status> {
        let source = match self {
            Self::Read(source)
            | Self::Finalizer(source)
            | Self::Status(source)
            | Self::Apply(ApplyError::Request { source, .. }) => source,
            Self::Build(_) | Self::Apply(ApplyError::Foreign { .. }) | Self::TimedOut => return None,
        };
        match source.as_ref() {
            kube::Error::Api(answer) => Some(answer),
            _ => None,
        }
    }

    /// The error and its causes, in one line. Texts that hold the next one already are not repeated.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let next = error.to_string();
            if !text.contains(&next) {
                text = format!("{text}: {next}");
            }
            cause = error.source();
        }
        text
    }
}

/// What the API server refuses stays refused until somebody changes something; all else goes away by itself.
fn class_of(answer: &Status) -> Class {
    let is_refusal = (400..500).contains(&answer.code) && answer.code != 429 && !answer.is_conflict();
    if is_refusal { Class::Blocked } else { Class::Transient }
}
