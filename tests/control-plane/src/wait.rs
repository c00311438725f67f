//! Waiting for a condition, never for a time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Far more than anything takes that works.
const DEADLINE: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(50);

/// Looks until the value is as expected, and gives it back.
///
/// # Errors
/// After 30 seconds, with the last value seen; at once when looking fails.
pub async fn eventually<T: Debug>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T>,
    is_expected: impl Fn(&T) -> bool,
) -> Result<T> {
    let end = Instant::now() + DEADLINE;
    loop {
        let seen = look().await?;
        if is_expected(&seen) {
            return Ok(seen);
        }
        if Instant::now() > end {
            bail!("waited {DEADLINE:?} in vain for: {what}\nlast seen: {seen:#?}");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
