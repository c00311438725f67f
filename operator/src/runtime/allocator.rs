//! The allocator: jemalloc, which gives memory back after a burst such as the first list of all objects.

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub use std::alloc::System as Allocator;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use tikv_jemallocator::Jemalloc as Allocator;

/// Has the allocator return free memory to the system by itself, instead of when somebody allocates again. Does nothing
/// in a program that uses another allocator.
pub fn give_back_unused() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let Err(error) = jemalloc::give_back_unused() {
        tracing::warn!(%error, "the allocator could not be told to give memory back");
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod jemalloc {
    use tikv_jemalloc_ctl::{Access as _, AsName as _, Result, background_thread};

    /// How long freed pages may wait to be used again, in milliseconds.
    const DECAY: isize = 1_000;

    pub(super) fn give_back_unused() -> Result<()> {
        let allocated: u64 = "thread.allocated\0".name().read()?;
        if allocated == 0 {
            return Ok(());
        }
        for setting in ["arenas.dirty_decay_ms\0", "arenas.muzzy_decay_ms\0"] {
            setting.name().write(DECAY)?;
        }
        let arenas: u32 = "arenas.narenas\0".name().read()?;
        for arena in 0..arenas {
            // Those that were never used have no settings yet; they will take the ones above.
            let _ = format!("arena.{arena}.dirty_decay_ms\0").name().write(DECAY);
        }
        background_thread::write(true)
    }
}
