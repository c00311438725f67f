//! The allocator for programs that serve results: jemalloc, which gives memory back when results are gone.
//!
//! A library cannot choose for a program, so the program says it, in two lines:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: flexconnect_server::memory::Allocator = flexconnect_server::memory::Allocator;
//! # fn main() {}
//! ```
//!
//! Without the feature `jemalloc`, or where jemalloc is not at home, it is the system's allocator.

#[cfg(not(all(feature = "jemalloc", target_os = "linux", target_env = "gnu")))]
pub use std::alloc::System as Allocator;
#[cfg(all(feature = "jemalloc", target_os = "linux", target_env = "gnu"))]
pub use tikv_jemallocator::Jemalloc as Allocator;

/// Has the allocator return memory to the system soon after it is free, by a thread of its own, instead of when somebody
/// allocates again: after a burst nobody may for a long time. Does nothing in a program that uses another allocator.
pub fn give_back_unused() {
    #[cfg(all(feature = "jemalloc", target_os = "linux", target_env = "gnu"))]
    if let Err(error) = jemalloc::give_back_unused() {
        tracing::warn!(%error, "allocator_not_tuned");
    }
}

#[cfg(all(feature = "jemalloc", target_os = "linux", target_env = "gnu"))]
mod jemalloc {
    use tikv_jemalloc_ctl::{Access as _, AsName as _, Result, background_thread};

    /// How long freed pages may wait to be used again. jemalloc's own choice is ten seconds.
    const DECAY_MILLISECONDS: isize = 2_000;

    pub(super) fn give_back_unused() -> Result<()> {
        let allocated: u64 = "thread.allocated\0".name().read()?;
        if allocated == 0 {
            return Ok(());
        }
        "arenas.dirty_decay_ms\0".name().write(DECAY_MILLISECONDS)?;
        let arenas: u32 = "arenas.narenas\0".name().read()?;
        for arena in 0..arenas {
            // Those that were never used have no settings yet; they will take the one above.
            let _ = format!("arena.{arena}.dirty_decay_ms\0")
                .name()
                .write(DECAY_MILLISECONDS);
        }
        background_thread::write(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_is_harmless_whatever_the_allocator() {
        give_back_unused();
        give_back_unused();
        assert_eq!(vec![1; 1000].iter().sum::<i32>(), 1000);
    }
}
