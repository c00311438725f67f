//! Which values settings take: one type per kind, each reading tolerantly what is clear and refusing what is not.

use std::path::PathBuf;
use std::time::Duration;

use super::casts;
use super::setting::{Kind, Refusal};
use super::tree::Value;

/// The longest duration that a setting may name: a year.
const YEAR: Duration = Duration::from_hours(8_760);

/// `true` or `false`, in any of the spellings that say so.
pub(super) struct Flag;

/// A whole number within a range; texts in digits and floats without a fraction count.
pub(super) struct Integer {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Completes "must be".
    pub(super) what: &'static str,
}

/// A number of seconds, with a fraction if need be.
pub(super) struct Seconds {
    /// Whether 0 is a duration here.
    pub(super) zero: bool,
}

/// A number of seconds, or 0 for none at all.
pub(super) struct SecondsOrOff;

/// A whole number of milliseconds.
pub(super) struct Milliseconds {
    /// Completes "must be".
    pub(super) what: &'static str,
}

/// A text that is not empty.
pub(super) struct Text {
    /// Completes "must be".
    pub(super) what: &'static str,
}

/// The name or address of a machine.
pub(super) struct Host;

/// A TCP port.
pub(super) struct Port;

/// The path of a file or folder, relative to the working directory.
pub(super) struct Path {
    /// Completes "must be".
    pub(super) what: &'static str,
}

/// One of a few words.
pub(super) struct Choice<T: 'static>(pub(super) &'static [(&'static str, T)]);

/// A list of texts; where one is enough, a single text is one.
pub(super) struct Texts {
    /// Completes "must be".
    pub(super) what: &'static str,
}

/// Anything; it is accepted and has no effect.
pub(super) struct Anything;

impl Kind for Flag {
    type Value = bool;

    fn read(&self, setting: &str, value: &Value) -> Result<bool, Refusal> {
        let meaning = match value {
            Value::Bool(value) => Some(*value),
            Value::Integer(value) => casts::flag(&value.to_string()),
            Value::Text(text) => casts::flag(text),
            Value::Null | Value::Float(_) | Value::List(_) | Value::Table(_) => None,
        };
        meaning.ok_or_else(|| Refusal::new("must be true or false", format!("write {setting} = true or false")))
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }

    fn summary(&self) -> String {
        "`true` or `false`".to_owned()
    }
}

impl Kind for Integer {
    type Value = i64;

    fn read(&self, _: &str, value: &Value) -> Result<i64, Refusal> {
        let Self { from, to, what } = self;
        integer(value)
            .filter(|value| (from..=to).contains(&value))
            .ok_or_else(|| {
                let fix = match *to {
                    i64::MAX => format!("write an integer, {from} or more"),
                    _ => format!("write an integer from {from} to {to}"),
                };
                Refusal::new(format!("must be {what}"), fix)
            })
    }

    fn write(&self, value: &i64) -> String {
        value.to_string()
    }

    fn summary(&self) -> String {
        match self.to {
            i64::MAX => format!("integer, {} or more", self.from),
            to => format!("integer, {} to {to}", self.from),
        }
    }
}

impl Kind for Seconds {
    type Value = Duration;

    fn read(&self, _: &str, value: &Value) -> Result<Duration, Refusal> {
        let refusal = || {
            let what = if self.zero { "a number" } else { "a positive number" };
            Refusal::new(format!("must be {what} of seconds"), "write a number up to 31536000")
        };
        seconds(value)
            .filter(|duration| self.zero || !duration.is_zero())
            .ok_or_else(refusal)
    }

    fn write(&self, value: &Duration) -> String {
        value.as_secs_f64().to_string()
    }

    fn summary(&self) -> String {
        let range = if self.zero { "0 or more" } else { "more than 0" };
        format!("seconds, {range}")
    }
}

impl Kind for SecondsOrOff {
    type Value = Option<Duration>;

    fn read(&self, setting: &str, value: &Value) -> Result<Option<Duration>, Refusal> {
        let duration = Seconds { zero: true }.read(setting, value)?;
        Ok(Some(duration).filter(|duration| !duration.is_zero()))
    }

    fn write(&self, value: &Option<Duration>) -> String {
        value.unwrap_or_default().as_secs_f64().to_string()
    }

    fn summary(&self) -> String {
        "seconds; 0 is off".to_owned()
    }
}

impl Kind for Milliseconds {
    type Value = Duration;

    fn read(&self, setting: &str, value: &Value) -> Result<Duration, Refusal> {
        let range = Integer {
            from: 1,
            to: 31_536_000_000,
            what: self.what,
        };
        Ok(Duration::from_millis(range.read(setting, value)?.unsigned_abs()))
    }

    fn write(&self, value: &Duration) -> String {
        value.as_millis().to_string()
    }

    fn summary(&self) -> String {
        "milliseconds, an integer, 1 or more".to_owned()
    }
}

impl Kind for Text {
    type Value = String;

    fn read(&self, _: &str, value: &Value) -> Result<String, Refusal> {
        let problem = || format!("must be {}", self.what);
        match value {
            Value::Text(text) if text.trim().is_empty() => Err(Refusal::new(
                problem(),
                "write one, or remove the setting: an empty text is not the default",
            )),
            Value::Text(text) => Ok(text.trim().to_owned()),
            // A text made of digits arrives from the environment as an integer.
            Value::Integer(value) => Ok(value.to_string()),
            Value::Null | Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Table(_) => {
                Err(Refusal::new(problem(), "write a text in quotes"))
            }
        }
    }

    fn write(&self, value: &String) -> String {
        format!("{value:?}")
    }

    fn summary(&self) -> String {
        "text".to_owned()
    }
}

impl Kind for Host {
    type Value = String;

    /// Brackets around an IPv6 address are taken off.
    fn read(&self, setting: &str, value: &Value) -> Result<String, Refusal> {
        const WHAT: &str = "an IP address or hostname";
        let host = Text { what: WHAT }.read(setting, value)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(&host);
        let is_address = bare.parse::<std::net::IpAddr>().is_ok();
        let is_name = host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
        if is_address || is_name {
            return Ok(bare.to_owned());
        }
        let fix = "write it without scheme, port or path";
        Err(Refusal::new(format!("must be {WHAT}"), fix))
    }

    fn write(&self, value: &String) -> String {
        format!("{value:?}")
    }

    fn summary(&self) -> String {
        "IP address or host name".to_owned()
    }
}

impl Kind for Port {
    type Value = u16;

    fn read(&self, _: &str, value: &Value) -> Result<u16, Refusal> {
        integer(value)
            .and_then(|value| u16::try_from(value).ok())
            .filter(|port| *port != 0)
            .ok_or_else(|| Refusal::new("must be a valid port number", "write an integer from 1 to 65535"))
    }

    fn write(&self, value: &u16) -> String {
        value.to_string()
    }

    fn summary(&self) -> String {
        "port, 1 to 65535".to_owned()
    }
}

impl Kind for Path {
    type Value = PathBuf;

    fn read(&self, setting: &str, value: &Value) -> Result<PathBuf, Refusal> {
        let path = Text { what: self.what }.read(setting, value)?;
        // The '@' of the TLS settings means the content of a file; a path by itself has none.
        Ok(PathBuf::from(path.strip_prefix('@').unwrap_or(&path)))
    }

    fn write(&self, value: &PathBuf) -> String {
        format!("{:?}", value.display().to_string())
    }

    fn summary(&self) -> String {
        "path".to_owned()
    }
}

impl<T: Copy + PartialEq + Sync> Kind for Choice<T> {
    type Value = T;

    fn read(&self, setting: &str, value: &Value) -> Result<T, Refusal> {
        let words = || self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let what = || format!("must be one of {}", words());
        let Value::Text(text) = value else {
            return Err(Refusal::new(what(), "write one of these words in quotes"));
        };
        let text = text.trim();
        let exact = self.0.iter().find(|(word, _)| *word == text);
        exact.map(|(_, value)| *value).ok_or_else(|| {
            let fix = match self.0.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
                Some((word, _)) => format!("write {setting} = \"{word}\""),
                None => "write one of these words, or remove the setting".to_owned(),
            };
            Refusal::new(what(), fix)
        })
    }

    fn write(&self, value: &T) -> String {
        let word = self.0.iter().find(|(_, known)| known == value);
        word.map(|(word, _)| format!("{word:?}")).unwrap_or_default()
    }

    fn summary(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("`{word}`")).collect();
        format!("one of {}", words.join(", "))
    }
}

impl Kind for Texts {
    type Value = Vec<String>;

    fn read(&self, setting: &str, value: &Value) -> Result<Vec<String>, Refusal> {
        let text = Text { what: self.what };
        match value {
            Value::List(items) => items.iter().map(|item| text.read(setting, &item.value)).collect(),
            value => text.read(setting, value).map(|one| vec![one]),
        }
    }

    fn write(&self, value: &Vec<String>) -> String {
        format!("{value:?}")
    }

    fn summary(&self) -> String {
        "text, or a list of texts".to_owned()
    }
}

impl Kind for Anything {
    type Value = ();

    fn read(&self, _: &str, _: &Value) -> Result<(), Refusal> {
        Ok(())
    }

    fn write(&self, (): &()) -> String {
        String::new()
    }

    fn summary(&self) -> String {
        "anything".to_owned()
    }
}

/// The integer that a value is, when it is one beyond doubt.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked, and the fraction is zero"
)]
fn integer(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Integer(value) => Some(*value),
        Value::Float(value) => (value.fract() == 0.0 && value.abs() <= EXACT).then_some(*value as i64),
        Value::Text(text) => casts::integer(text),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Table(_) => None,
    }
}

/// The duration that a value names in seconds, up to a year.
fn seconds(value: &Value) -> Option<Duration> {
    let duration = match (integer(value), value) {
        (Some(whole), _) => Duration::from_secs(u64::try_from(whole).ok()?),
        (None, Value::Float(fraction)) => Duration::try_from_secs_f64(*fraction).ok()?,
        (None, Value::Text(text)) => Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()?,
        (None, Value::Null | Value::Bool(_) | Value::Integer(_) | Value::List(_) | Value::Table(_)) => return None,
    };
    (duration <= YEAR).then_some(duration)
}

#[cfg(test)]
mod tests;
