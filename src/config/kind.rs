//! What a key takes: the check of one value, whatever layer it comes from, and its description.

use config::{Value, ValueKind};

use super::ice;

/// The longest duration a key takes, one day: what is longer is a slip of the unit.
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A whole number, both bounds included.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
        /// What is counted; empty for a plain number such as a port.
        unit: &'static str,
    },
    /// `true` or `false`.
    Switch,
    /// A text.
    Text {
        /// Gives the text to keep, or refuses it.
        check: fn(&str) -> Option<String>,
        /// What the check lets through.
        allowed: &'static str,
    },
    /// A text for which empty is a value of its own, unlike not set: an empty variable sets it.
    TextOrNone {
        /// Gives the text to keep, or refuses it.
        check: fn(&str) -> Option<String>,
        /// What the check lets through.
        allowed: &'static str,
    },
    /// A list of texts.
    List {
        /// Whether it takes this element.
        check: fn(&str) -> bool,
        /// What the check lets through.
        allowed: &'static str,
    },
    /// The list of STUN and TURN servers.
    IceServers,
}

/// Why a value is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Where in the key's value, such as `[1].urls`; empty for the whole.
    pub(super) at: String,
    /// What was found. Never anything secret.
    pub(super) found: String,
    /// What would have been taken.
    pub(super) allowed: String,
}

impl Kind {
    /// A duration of at most a day.
    pub(super) const fn milliseconds(min: i64) -> Self {
        Self::Integer { min, max: DAY_MS, unit: "milliseconds" }
    }

    /// A size.
    pub(super) const fn octets(min: i64, max: i64) -> Self {
        Self::Integer { min, max, unit: "octets" }
    }

    /// A number of something.
    pub(super) const fn count(min: i64, max: i64, unit: &'static str) -> Self {
        Self::Integer { min, max, unit }
    }

    /// What a value may be, for errors and documents.
    pub(super) fn allowed(&self) -> String {
        match *self {
            Self::Integer { min, max, unit: "" } => format!("an integer from {min} to {max}"),
            Self::Integer { min, max, unit } => format!("an integer from {min} to {max} ({unit})"),
            Self::Switch => "true or false".to_owned(),
            Self::Text { allowed, .. } | Self::TextOrNone { allowed, .. } | Self::List { allowed, .. } => {
                allowed.to_owned()
            }
            Self::IceServers => ice::ALLOWED.to_owned(),
        }
    }

    /// Reads a variable's text as this kind. What cannot be read stays the text it is, for [`Self::check`] to refuse.
    pub(super) fn read(&self, text: &str) -> ValueKind {
        let unread = || ValueKind::String(text.to_owned());
        match self {
            Self::Integer { .. } => text.trim().parse().map_or_else(|_| unread(), ValueKind::I64),
            Self::Switch => text.trim().parse().map_or_else(|_| unread(), ValueKind::Boolean),
            Self::Text { .. } | Self::TextOrNone { .. } => unread(),
            Self::List { .. } => text.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>().into(),
            Self::IceServers => serde_json::from_str::<Value>(text).map_or_else(|_| unread(), |value| value.kind),
        }
    }

    /// Checks one value and gives it as it is to be kept. No conversions: `"8080"` in a file is no port.
    pub(super) fn check(&self, value: ValueKind) -> Result<ValueKind, Refusal> {
        match (self, &value) {
            (Self::Integer { min, max, .. }, ValueKind::I64(number)) if (*min..=*max).contains(number) => Ok(value),
            (Self::Switch, ValueKind::Boolean(_)) => Ok(value),
            (Self::Text { check, .. } | Self::TextOrNone { check, .. }, ValueKind::String(text)) => {
                check(text).map(ValueKind::String).ok_or_else(|| self.refuse(&value))
            }
            (Self::List { check, .. }, ValueKind::Array(elements)) => {
                self.check_elements(*check, elements)?;
                Ok(value)
            }
            (Self::IceServers, _) => ice::check(&value).map(|()| value),
            _ => Err(self.refuse(&value)),
        }
    }

    fn check_elements(&self, check: fn(&str) -> bool, elements: &[Value]) -> Result<(), Refusal> {
        let fits = |element: &Value| matches!(&element.kind, ValueKind::String(text) if check(text));
        match elements.iter().position(|element| !fits(element)) {
            None => Ok(()),
            Some(index) => Err(Refusal { at: format!("[{index}]"), ..self.refuse(&elements[index].kind) }),
        }
    }

    fn refuse(&self, value: &ValueKind) -> Refusal {
        Refusal { at: String::new(), found: show(value), allowed: self.allowed() }
    }
}

/// A value as an error quotes it: short, and a text in quotes, so that `"8080"` and `8080` can be told apart.
fn show(value: &ValueKind) -> String {
    const LONGEST: usize = 60;
    match value {
        ValueKind::String(text) if text.chars().count() > LONGEST => {
            let start: String = text.chars().take(LONGEST).collect();
            format!("{start:?} and more")
        }
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Float(number) => format!("{number:?}"),
        ValueKind::Table(_) | ValueKind::Array(_) | ValueKind::Nil => name_of_type(value).to_owned(),
        scalar => scalar.to_string(),
    }
}

/// The type alone, for values that must not be shown.
pub(super) fn name_of_type(value: &ValueKind) -> &'static str {
    match value {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "a boolean",
        ValueKind::Float(_) => "a fraction",
        ValueKind::String(_) => "a text",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "an integer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_keeps_to_its_bounds_and_is_not_guessed_from_a_text() {
        let kind = Kind::count(2, 5, "peers");
        for (value, fits) in [(1, false), (2, true), (5, true), (6, false), (i64::MIN, false), (i64::MAX, false)] {
            assert_eq!(kind.check(ValueKind::I64(value)).is_ok(), fits, "{value}");
        }
        for value in [ValueKind::String("3".into()), ValueKind::Float(3.0), ValueKind::Boolean(true), ValueKind::Nil] {
            assert_eq!(kind.check(value).unwrap_err().allowed, "an integer from 2 to 5 (peers)");
        }
    }

    #[test]
    fn a_variable_is_read_as_the_key_wants_it() {
        assert_eq!(Kind::milliseconds(0).read(" 250 "), ValueKind::I64(250));
        assert_eq!(Kind::milliseconds(0).read("30s"), ValueKind::String("30s".into()));
        assert_eq!(Kind::Switch.read("true"), ValueKind::Boolean(true));
        let text = Kind::Text { check: |text| Some(text.into()), allowed: "anything" };
        assert_eq!(text.read("007"), ValueKind::String("007".into()), "a host called 007 keeps its zeros");
    }

    #[test]
    fn what_was_found_is_shown_short_and_typed() {
        assert_eq!(show(&ValueKind::String("8080".into())), "\"8080\"");
        assert_eq!(show(&ValueKind::I64(8080)), "8080");
        assert_eq!(show(&ValueKind::Float(2.0)), "2.0");
        assert_eq!(show(&ValueKind::Array(Vec::new())), "a list");
        assert_eq!(show(&ValueKind::String("ö".repeat(61))), format!("\"{}\" and more", "ö".repeat(60)));
        assert_eq!(show(&ValueKind::String("a\nb".into())), r#""a\nb""#);
    }
}
