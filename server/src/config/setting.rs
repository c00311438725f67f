//! What a setting is: a name, what it takes, what it is when nobody writes it, and the words of the reference page.
//!
//! The same declaration reads values, finds misspelled names and writes the page, so they cannot disagree.

use super::tree::Value;

/// One setting of one section.
pub(super) struct Setting<K, D> {
    /// The name within its section, in lower case.
    pub(super) name: &'static str,
    /// Which values it takes.
    pub(super) takes: K,
    /// What it is when nobody writes it.
    pub(super) default: D,
    /// What it does, in sentences for the reference page.
    pub(super) text: &'static str,
}

/// What values look like, and how they are read.
pub(super) trait Kind: Sync {
    /// What a value is read into.
    type Value;

    /// Reads a value that is not null, or says what is wrong with it.
    fn read(&self, setting: &str, value: &Value) -> Result<Self::Value, Refusal>;

    /// Which values there are, for the reference page.
    fn summary(&self) -> String;

    /// How a value is written in a settings file.
    fn write(&self, value: &Self::Value) -> String;

    /// Whether people may not see this value.
    fn hides(&self, _: &Value) -> bool {
        false
    }
}

/// Why a value cannot be used, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) problem: String,
    pub(super) fix: String,
}

impl Refusal {
    pub(super) fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

/// What a setting is when nobody writes it.
pub(super) trait Fallback<K: Kind>: Sync {
    /// What reading gives: the value, or an option when there may be none.
    type Read;

    fn written(&self, value: K::Value) -> Self::Read;
    fn absent(&self) -> Self::Read;

    fn summary(&self, takes: &K) -> Unwritten;
}

/// What holds when nobody writes a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// This value, as it would be written.
    Value(String),
    /// What these words say.
    Words(&'static str),
}

/// A fixed default.
pub(super) struct Is<T>(pub(super) T);

/// A fixed text.
pub(super) struct IsText(pub(super) &'static str);

/// No fixed value: what holds then, in a few words.
pub(super) struct Otherwise(pub(super) &'static str);

impl<K: Kind<Value: Clone + Sync>> Fallback<K> for Is<K::Value> {
    type Read = K::Value;

    fn written(&self, value: K::Value) -> K::Value {
        value
    }

    fn absent(&self) -> K::Value {
        self.0.clone()
    }

    fn summary(&self, takes: &K) -> Unwritten {
        Unwritten::Value(takes.write(&self.0))
    }
}

impl<K: Kind<Value = String>> Fallback<K> for IsText {
    type Read = String;

    fn written(&self, value: String) -> String {
        value
    }

    fn absent(&self) -> String {
        self.0.to_owned()
    }

    fn summary(&self, takes: &K) -> Unwritten {
        Unwritten::Value(takes.write(&self.0.to_owned()))
    }
}

impl<K: Kind> Fallback<K> for Otherwise {
    type Read = Option<K::Value>;

    fn written(&self, value: K::Value) -> Option<K::Value> {
        Some(value)
    }

    fn absent(&self) -> Option<K::Value> {
        None
    }

    fn summary(&self, _: &K) -> Unwritten {
        Unwritten::Words(self.0)
    }
}

/// A setting as the reference page and the check of names see it.
pub(super) trait Described: Sync {
    fn name(&self) -> &'static str;
    /// The sentences, one line, in Markdown.
    fn text(&self) -> String;
    fn takes(&self) -> String;
    fn default(&self) -> Unwritten;
    /// Whether people may not see this value.
    fn hides(&self, value: &Value) -> bool;
}

impl<K: Kind, D: Fallback<K>> Described for Setting<K, D> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn text(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn takes(&self) -> String {
        self.takes.summary()
    }

    fn default(&self) -> Unwritten {
        self.default.summary(&self.takes)
    }

    fn hides(&self, value: &Value) -> bool {
        self.takes.hides(value)
    }
}

/// A section whose settings are ours.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) groups: &'static [Group],
}

/// Settings that belong together, on the reference page as well.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) settings: &'static [&'static dyn Described],
}

impl Group {
    pub(super) const fn new(title: &'static str, settings: &'static [&'static dyn Described]) -> Self {
        Self { title, settings }
    }
}

impl Section {
    pub(super) fn settings(&self) -> impl Iterator<Item = &'static dyn Described> {
        self.groups.iter().flat_map(|group| group.settings.iter().copied())
    }

    pub(super) fn knows(&self, setting: &str) -> bool {
        self.names().any(|name| name == setting)
    }

    /// Every known setting.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.settings().map(Described::name)
    }
}

/// Declares the settings of a group: constants to read them by, and `ALL` for the reference page.
///
/// The doc comment of a setting is its text on that page.
macro_rules! settings {
    ($($(#[doc = $text:literal])+ $constant:ident: $kind:ty, $fallback:ty = $name:literal, $takes:expr, $default:expr;)+) => {
        $(
            $(#[doc = $text])+
            const $constant: $crate::config::setting::Setting<$kind, $fallback> = $crate::config::setting::Setting {
                name: $name,
                takes: $takes,
                default: $default,
                text: concat!($($text, "\n"),+),
            };
        )+

        /// The settings of this group, in the order of the reference page.
        pub(in crate::config) static ALL: &[&dyn $crate::config::setting::Described] = &[$(&$constant),+];
    };
}
pub(super) use settings;
