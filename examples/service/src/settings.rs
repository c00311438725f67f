//! What can be configured, beside the server's own settings.

use std::time::Duration;

use serde::Deserialize;

/// `[shelf]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct ShelfSettings {
    /// Tables of all tenants together; one more is refused.
    pub(crate) max_tables: usize,
    /// Bytes of one table; a larger one is refused while it comes.
    pub(crate) max_table_bytes: usize,
    /// How long a table stays.
    keep_sec: u64,
}

impl Default for ShelfSettings {
    fn default() -> Self {
        Self {
            max_tables: 1000,
            max_table_bytes: 64 * 1024 * 1024,
            keep_sec: 3600,
        }
    }
}

impl ShelfSettings {
    /// How long a table stays.
    pub(crate) const fn keep(&self) -> Duration {
        Duration::from_secs(self.keep_sec)
    }
}
