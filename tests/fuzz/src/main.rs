//! One program for all targets: `FUZZ_TARGET` names the door that libFuzzer's inputs go through.
#![no_main]

use std::alloc::System;
use std::panic;
use std::sync::LazyLock;

use cap::Cap;
use flexconnect_server::fuzzing;
use libfuzzer_sys::fuzz_target;

type Door = fn(&[u8]);

/// By the names of the folders in `seeds/`.
const DOORS: [(&str, Door); 15] = [
    ("call", fuzzing::call),
    ("client", fuzzing::client),
    ("command", fuzzing::command),
    ("connection", fuzzing::connection),
    ("context", fuzzing::context),
    ("document", fuzzing::document),
    ("headers", fuzzing::headers),
    ("jwt", fuzzing::jwt),
    ("metrics", fuzzing::metrics),
    ("request", fuzzing::request),
    ("result", fuzzing::result),
    ("table", fuzzing::table),
    ("upload", fuzzing::upload),
    ("variables", fuzzing::variables),
    ("worker", fuzzing::worker),
];

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    let target = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let found = DOORS.iter().find(|(name, _)| *name == target);
    found.expect("FUZZ_TARGET is one of the folders in tests/fuzz/seeds").1
});

/// What the server may take, beyond what it took after its first input. Inputs are small, so one that needs so much is a
/// find; and so is the one on which it is reached because each of the millions before it left a little.
const ROOM: usize = 64 * 1024 * 1024;

/// An allocation beyond the limit fails, which ends the process.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

static LIMIT: LazyLock<()> = LazyLock::new(|| {
    let limit = MEMORY.allocated() + ROOM;
    MEMORY.set_limit(limit).expect("less is taken so far");
});

/// A panic is a find, but for those of others' parsers that the server answers as bad input.
fn spare_refusals() {
    let find = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !fuzzing::is_refusal() {
            find(panic);
        }
    }));
}

fuzz_target!(init: spare_refusals(), |bytes: &[u8]| {
    DOOR(bytes);
    LazyLock::force(&LIMIT);
});
