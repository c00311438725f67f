//! The one list of reasons, for conditions, events and logs.

use std::fmt;

use crate::registration;

/// Why something is as it is: one stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Every replica is ready.
    AllReplicasReady,
    /// Some replicas are not ready.
    ReplicasNotReady,
    /// No replicas are wanted.
    Stopped,
    /// The object asks to be left alone.
    Paused,
    /// It did, and no longer does.
    Resumed,
    /// The object is wrong; it has to change.
    InvalidSpec,
    /// A Secret that the servers need is missing or cannot be used.
    ReferenceMissing,
    /// There is an object of that name, and it belongs to somebody else.
    ForeignObject,
    /// The API server refuses an object.
    ApplyFailed,
    /// Some replicas are ready.
    SomeReplicasReady,
    /// No replica is ready.
    NoReplicaReady,
    /// Every replica is as wanted.
    RolloutComplete,
    /// Pods are made anew.
    RolloutStarted,
    /// A replica is taken out of the data sources, replaced, or put back.
    RollingOut,
    /// A step waits for a data source that cannot be told.
    RegistrationBlocked,
    /// A step waits for another replica that answers.
    NoOtherReplica,
    /// A pod stood in the way of its successor.
    StuckPodDeleted,
    /// A pod outlived its end on a node that does not answer.
    LostPodDeleted,
    /// The `StatefulSet` was made anew around its pods.
    StatefulSetRecreated,
    /// Every data source is as it shall be.
    Registered,
    /// No data source is asked for.
    NothingToRegister,
    /// The replicas were never all ready.
    WaitingForReplicas,
    /// A replica does not answer as GoodData would need it.
    ReplicaUnfit,
    /// A Secret with credentials of GoodData is missing or cannot be used.
    CredentialsMissing,
    /// GoodData does not, or cannot, do what it is asked.
    Registration(registration::Reason),
    /// A data source was created or changed.
    DataSourceChanged,
    /// A data source was deleted.
    DataSourceDeleted,
    /// A data source was not deleted, because it is not ours.
    DataSourceLeftAlone,
    /// A data source could not be deleted, and is not waited for any longer.
    DataSourceLeftBehind,
    /// A data source is no longer in the spec, and stays in GoodData.
    DataSourceReleased,
    /// The object waits for its data sources to be deleted.
    Deleting,
}

impl Reason {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllReplicasReady => "AllReplicasReady",
            Self::ReplicasNotReady => "ReplicasNotReady",
            Self::Stopped => "Stopped",
            Self::Paused => "Paused",
            Self::Resumed => "Resumed",
            Self::InvalidSpec => "InvalidSpec",
            Self::ReferenceMissing => "ReferenceMissing",
            Self::ForeignObject => "ForeignObject",
            Self::ApplyFailed => "ApplyFailed",
            Self::SomeReplicasReady => "SomeReplicasReady",
            Self::NoReplicaReady => "NoReplicaReady",
            Self::RolloutComplete => "RolloutComplete",
            Self::RolloutStarted => "RolloutStarted",
            Self::RollingOut => "RollingOut",
            Self::RegistrationBlocked => "RegistrationBlocked",
            Self::NoOtherReplica => "NoOtherReplica",
            Self::StuckPodDeleted => "StuckPodDeleted",
            Self::LostPodDeleted => "LostPodDeleted",
            Self::StatefulSetRecreated => "StatefulSetRecreated",
            Self::Registered => "Registered",
            Self::NothingToRegister => "NothingToRegister",
            Self::WaitingForReplicas => "WaitingForReplicas",
            Self::ReplicaUnfit => "ReplicaUnfit",
            Self::CredentialsMissing => "CredentialsMissing",
            Self::Registration(reason) => reason.as_str(),
            Self::DataSourceChanged => "DataSourceChanged",
            Self::DataSourceDeleted => "DataSourceDeleted",
            Self::DataSourceLeftAlone => "DataSourceLeftAlone",
            Self::DataSourceLeftBehind => "DataSourceLeftBehind",
            Self::DataSourceReleased => "DataSourceReleased",
            Self::Deleting => "Deleting",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
