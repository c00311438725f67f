//! `flexconnect-operator local` as users run it: the real program, a stand-in for GoodData, and servers that do as they
//! are told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests, too")]

mod edits;
mod end;
mod input;
mod lifecycle;
mod queries;
mod registration;
mod run;
