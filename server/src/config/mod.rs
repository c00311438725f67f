//! Configuration: files and environment become typed sections, with all mistakes reported at once.
//!
//! Layers, the later over the earlier: defaults, the files in their order (each with its `x.local.toml`), the
//! environment. The original's files and variables are read as they are; what was a trap there is a mistake here.

mod casts;
mod document;
mod files;
mod kinds;
mod layers;
mod load;
mod overlay;
mod reader;
mod reference;
mod report;
mod schema;
mod sections;
mod setting;
mod shown;
mod source;
mod survey;
mod tables;
mod tree;
mod variables;

pub use layers::Inputs;
#[cfg(feature = "fuzzing")]
pub(crate) use load::fuzz_document;
pub use load::{Config, Origin, load};
pub use reference::reference;
pub use report::{Mistake, Mistakes, Warning};
pub use sections::{
    AnswerSettings, Authentication, ConnectionSettings, DrainSettings, FlexConnectSection, FunctionLimit,
    FunctionLimits, HostPort, JwtSettings, KeySet, LogSettings, Modules, Pem, PemText, Provider, PythonSection,
    ServerSection, SpillSettings, TaskSettings, Tls, TokenHeader, TokenVerification, TraceExporter, TraceKeys,
    TraceSettings,
};
pub use setting::Unwritten;
pub use source::Source;
pub use survey::{Entry, Shown, Standing, Survey, literal, survey};
pub use tables::{SettingError, Tables};
