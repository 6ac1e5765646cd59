//! The one place a key is written down: its field, default, bounds and reason. Everything else is derived from it.

use super::kind::Kind;

/// Begins the structured variables. (Two underscores, since one also begins the names that Kubernetes makes for a
/// service called `switchboard`.)
pub(super) const PREFIX: &str = "SWITCHBOARD__";

/// A table of the configuration file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    /// The table's name, as in `[server]`.
    pub(super) name: &'static str,
    /// What its keys are about: lines of the struct's documentation. Only the generated documents need it.
    #[cfg(test)]
    pub(super) about: &'static [&'static str],
    /// Its keys, in the order of the documents.
    pub(super) keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// The section's name.
    pub(super) section: &'static str,
    /// The name in the section.
    pub(super) name: &'static str,
    /// What it does and why it has its default: lines of the field's documentation.
    #[cfg(test)]
    pub(super) about: &'static [&'static str],
    /// What it takes.
    pub(super) kind: Kind,
    /// The plain variable that sets it too, such as `PORT`.
    pub(super) plain: Option<&'static str>,
    /// Whether a change takes effect while the server runs, by `SIGHUP`.
    pub(super) live: bool,
    /// Whether `/metrics` exports it, and with which name before it.
    pub(super) exported: Option<Exported>,
    /// Whether `welcome` tells it to clients.
    pub(super) in_welcome: bool,
}

/// By which name `/metrics` exports a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Exported {
    /// Its own.
    Alone,
    /// Its section's and its own, for one that says nothing alone.
    WithSection,
}

impl Section {
    /// The section's key of this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    /// The name people use: `server.port`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Its structured variable: `SWITCHBOARD__SERVER__PORT`.
    pub(super) fn variable(&self) -> String {
        format!("{}{}__{}", PREFIX, self.section.to_uppercase(), self.name.to_uppercase())
    }

    /// What may stand behind a key's kind: the plain variable that sets it, too.
    pub(super) const fn plain(self, variable: &'static str) -> Self {
        Self { plain: Some(variable), ..self }
    }

    /// The same: `SIGHUP` changes it.
    pub(super) const fn live(self) -> Self {
        Self { live: true, ..self }
    }

    /// The same: `switchboard_limit` has it.
    pub(super) const fn exported(self) -> Self {
        Self { exported: Some(Exported::Alone), ..self }
    }

    /// The same, with its section before its name.
    pub(super) const fn exported_with_section(self) -> Self {
        Self { exported: Some(Exported::WithSection), ..self }
    }

    /// The same: `welcome` has it.
    pub(super) const fn in_welcome(self) -> Self {
        Self { in_welcome: true, ..self }
    }
}

/// Declares a section: the struct with its defaults, and the same as [`Section`] for checks and documents. Behind a key's
/// kind stands what else is so of it: `plain "PORT"`, `live`, `exported`, `exported_with_section`, `in_welcome`.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $struct:ident = $section:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $default:expr, $kind:expr $(, $flag:ident $($value:literal)?)*;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $struct {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nDefault: `", stringify!($default), "`.")]
                pub $field: $type,
            )+
        }

        impl Default for $struct {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $struct {
            /// The section as data.
            pub(super) const SECTION: $crate::config::section::Section = $crate::config::section::Section {
                name: $section,
                #[cfg(test)]
                about: &[$($about),+],
                keys: &[$($crate::config::section::Key {
                    section: $section,
                    name: stringify!($field),
                    #[cfg(test)]
                    about: &[$($doc),+],
                    kind: $kind,
                    plain: None,
                    live: false,
                    exported: None,
                    in_welcome: false,
                }$(.$flag($($value)?))*),+],
            };
        }
    };
}
pub(super) use section;
