//! `[flexfun]`: functions of the kind from which `FlexConnect` came.

use crate::config::kinds::Texts;
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Otherwise, settings};

settings! {
    /// Python modules with functions derived from `FlexFun` of `gooddata-flexfun`, which came before FlexConnect. They are
    /// served when `python.methods_provider` is `gooddata_flexfun`, in the same way as those of FlexConnect.
    FUNCTIONS: Texts, Otherwise = "functions", Texts { what: "a list of names of Python modules" }, Otherwise("none");
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<String>, Noted> {
    Ok(reader.read(&FUNCTIONS)?.unwrap_or_default())
}
