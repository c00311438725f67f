//! Who caused an execution.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Who caused an execution.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutionInitiator {
    /// Somebody looks at a visualization.
    Display(Visualization),
    /// Somebody exports one.
    AdhocExport {
        /// What is exported.
        visualization: Visualization,
        /// The format: `CSV`, `RAW_CSV`, …
        export_type: Option<String>,
    },
    /// A schedule.
    Automation {
        /// Which one.
        automation_id: Option<String>,
    },
    /// An alert is checked.
    Alert(Visualization),
    /// One that this version does not know, as sent.
    Other(Value),
}

/// Where rows are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Visualization {
    /// The dashboard.
    pub dashboard_id: Option<String>,
    /// The visualization on it.
    pub visualization_id: Option<String>,
    /// The widget that holds the visualization.
    pub widget_id: Option<String>,
}

/// The initiators of known types, as they travel.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Known {
    Display(Visualization),
    AdhocExport {
        #[serde(flatten)]
        visualization: Visualization,
        #[serde(default)]
        export_type: Option<String>,
    },
    Automation {
        #[serde(default)]
        automation_id: Option<String>,
    },
    Alert(Visualization),
}

impl<'de> Deserialize<'de> for ExecutionInitiator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = Value::deserialize(deserializer)?;
        Ok(match Known::deserialize(&sent) {
            Ok(Known::Display(visualization)) => Self::Display(visualization),
            Ok(Known::AdhocExport {
                visualization,
                export_type,
            }) => Self::AdhocExport {
                visualization,
                export_type,
            },
            Ok(Known::Automation { automation_id }) => Self::Automation { automation_id },
            Ok(Known::Alert(visualization)) => Self::Alert(visualization),
            // Nobody computes other rows for another initiator: better no name for it than no rows.
            Err(_) => Self::Other(sent),
        })
    }
}
