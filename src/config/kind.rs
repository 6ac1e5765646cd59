//! What a key takes: the check of one value, whatever layer it comes from, and its description.

use config::{Value, ValueKind};

/// The longest duration a key takes, one day: what is longer is a slip of the unit.
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

const MILLISECONDS: &str = "milliseconds";
const BYTES: &str = "bytes";

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
        /// What is meant by whoever has the unit in mind, both bounds included. Others are taken, and told of.
        usual: (i64, i64),
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
    /// Something with parts, in a variable as JSON.
    Parts {
        /// Refuses what does not fit, without showing a value.
        check: fn(&ValueKind) -> Result<(), ValueError>,
        /// What the check lets through.
        allowed: &'static str,
    },
}

/// Why a value is hardly meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// Whether it is below the usual ones.
    pub(super) low: bool,
    /// The value with its unit, the usual ones, and what to write instead.
    pub(super) text: String,
}

/// Why a value is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ValueError {
    /// Where in the key's value, such as `[1].urls`; empty for the whole.
    pub(super) at: String,
    /// What was found. Never anything secret.
    pub(super) found: String,
    /// What would have been taken.
    pub(super) allowed: String,
}

impl Kind {
    /// A duration of at most a day. Below a second it is more likely to be meant as seconds, unless the key's
    /// [`Self::usual`] says otherwise.
    pub(super) const fn milliseconds(min: i64) -> Self {
        Self::Integer { min, max: DAY_MS, unit: MILLISECONDS, usual: (if min > 1000 { min } else { 1000 }, DAY_MS) }
    }

    /// A size. Below 1 KiB it is more likely to be meant as KiB, unless the key's [`Self::usual`] says otherwise.
    pub(super) const fn bytes(min: i64, max: i64) -> Self {
        Self::Integer { min, max, unit: BYTES, usual: (if min > 1024 { min } else { 1024 }, max) }
    }

    /// A number of something.
    pub(super) const fn count(min: i64, max: i64, unit: &'static str) -> Self {
        Self::Integer { min, max, unit, usual: (min, max) }
    }

    /// The same, with other values as the usual ones.
    pub(super) const fn usual(self, low: i64, high: i64) -> Self {
        match self {
            Self::Integer { min, max, unit, .. } => Self::Integer { min, max, unit, usual: (low, high) },
            other => other,
        }
    }

    /// Whether it counts milliseconds.
    pub(super) fn is_duration(&self) -> bool {
        matches!(self, Self::Integer { unit: MILLISECONDS, .. })
    }

    /// What a value may be, for errors and documents.
    pub(super) fn allowed(&self) -> String {
        match *self {
            Self::Integer { min, max, unit, .. } => integers(min, max, unit),
            Self::Switch => "true or false".to_owned(),
            Self::Text { allowed, .. } | Self::TextOrNone { allowed, .. } | Self::List { allowed, .. } => {
                allowed.to_owned()
            }
            Self::Parts { allowed, .. } => (*allowed).to_owned(),
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
            Self::Parts { .. } => serde_json::from_str::<Value>(text).map_or_else(|_| unread(), |value| value.kind),
        }
    }

    /// What is taken without a word, where that is less than what is allowed.
    #[cfg(test)]
    pub(super) fn usual_ones(&self) -> Option<String> {
        match *self {
            Self::Integer { min, max, unit, usual: (low, high) } if (low, high) != (min, max) => {
                let zero = if min <= 0 { "0, or " } else { "" };
                Some(format!("{zero}from {low} to {high} ({unit}); others are a warning"))
            }
            _ => None,
        }
    }

    /// What a plain variable may be. Its name says no unit, so there what cannot be meant is refused.
    pub(super) fn allowed_plainly(&self) -> String {
        match *self {
            Self::Integer { min, max, unit, usual: (low, _) } if low > min => integers(low, max, unit),
            _ => self.allowed(),
        }
    }

    /// Why a value that is allowed is hardly meant, if it is not one of the usual ones. Zero says what its key says.
    pub(super) fn doubt(&self, value: i64) -> Option<Doubt> {
        let Self::Integer { min, unit, usual: (low, high), .. } = *self else { return None };
        let meant = (min <= 0 && value == 0) || (low..=high).contains(&value);
        let text =
            || format!("{value} {unit}; usual are {low} to {high}{}", self.suggestion(value).unwrap_or_default());
        (!meant).then(|| Doubt { low: value < low, text: text() })
    }

    /// What to write, if the value was meant in the next larger unit.
    fn suggestion(&self, value: i64) -> Option<String> {
        let Self::Integer { unit, usual: (low, high), .. } = *self else { return None };
        let (factor, larger) = larger(unit)?;
        let meant = value.checked_mul(factor).filter(|meant| (low..=high).contains(meant))?;
        Some(format!("; for {value} {larger} write {meant}"))
    }

    /// What to write for a text that is a number with a unit, or with separators.
    fn reading(&self, text: &str) -> Option<String> {
        let Self::Integer { min, max, unit, .. } = *self else { return None };
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && !"_, '".contains(c)).unwrap_or(text.len());
        let (digits, suffix) = text.split_at(end);
        if suffix.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            // A bare number, in quotes or out of bounds.
            return None;
        }
        let number: i64 = digits.replace(['_', ',', ' ', '\''], "").parse().ok()?;
        let meant = number.checked_mul(factor_of(suffix.trim(), unit)?).filter(|meant| (min..=max).contains(meant))?;
        Some(format!("; write {meant}"))
    }

    /// Checks one value and gives it as it is to be kept. No conversions: `"8080"` in a file is no port.
    pub(super) fn check(&self, value: ValueKind) -> Result<ValueKind, ValueError> {
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
            (Self::Parts { check, .. }, _) => check(&value).map(|()| value),
            _ => Err(self.refuse(&value)),
        }
    }

    fn check_elements(&self, check: fn(&str) -> bool, elements: &[Value]) -> Result<(), ValueError> {
        let fits = |element: &Value| matches!(&element.kind, ValueKind::String(text) if check(text));
        match elements.iter().position(|element| !fits(element)) {
            None => Ok(()),
            Some(index) => Err(ValueError { at: format!("[{index}]"), ..self.refuse(&elements[index].kind) }),
        }
    }

    fn refuse(&self, value: &ValueKind) -> ValueError {
        let hint = match value {
            ValueKind::String(text) => self.reading(text),
            ValueKind::I64(number) => self.suggestion(*number),
            _ => None,
        };
        ValueError { at: String::new(), found: show(value), allowed: self.allowed() + &hint.unwrap_or_default() }
    }
}

fn integers(min: i64, max: i64, unit: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
    format!("an integer from {min} to {max}{unit}")
}

/// The unit that people have in mind instead, and how many of `unit` it is.
fn larger(unit: &str) -> Option<(i64, &'static str)> {
    match unit {
        MILLISECONDS => Some((1000, "seconds")),
        BYTES => Some((1024, "KiB")),
        _ => None,
    }
}

/// How many of `unit` one of what the suffix says is.
fn factor_of(suffix: &str, unit: &str) -> Option<i64> {
    Some(match (unit, suffix.to_ascii_lowercase().as_str()) {
        (_, "") | (MILLISECONDS, "ms") | (BYTES, "b") => 1,
        (MILLISECONDS, "s" | "sec" | "secs" | "seconds") => 1000,
        (MILLISECONDS, "m" | "min" | "minutes") => 60_000,
        (MILLISECONDS, "h" | "hours") => 3_600_000,
        (BYTES, "k" | "kb" | "kib") => 1024,
        (BYTES, "m" | "mb" | "mib") => 1024 * 1024,
        (BYTES, "g" | "gb" | "gib") => 1024 * 1024 * 1024,
        (MILLISECONDS | BYTES, _) => return None,
        (_, "k") => 1000,
        (_, "m") => 1_000_000,
        _ => return None,
    })
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
    fn what_is_hardly_meant_is_told_with_its_unit_and_what_to_write() {
        let doubt = |kind: Kind, value| kind.doubt(value).map(|doubt| doubt.text);
        let interval = Kind::milliseconds(10);
        assert_eq!(
            doubt(interval, 30).unwrap(),
            "30 milliseconds; usual are 1000 to 86400000; for 30 seconds write 30000"
        );
        assert_eq!(
            doubt(Kind::bytes(2, 99_999), 64).unwrap(),
            "64 bytes; usual are 1024 to 99999; for 64 KiB write 65536"
        );
        assert_eq!(doubt(Kind::bytes(2, 99_999), 512).unwrap(), "512 bytes; usual are 1024 to 99999");
        assert_eq!(doubt(interval.usual(50, 100), 101).unwrap(), "101 milliseconds; usual are 50 to 100");
        for (kind, value) in [
            (interval, 1000),
            (interval, DAY_MS),
            (interval.usual(30, 60), 30),
            (Kind::milliseconds(0), 0),
            (Kind::count(1, 9, "peers"), 1),
            (Kind::Switch, 1),
        ] {
            assert_eq!(kind.doubt(value), None, "{kind:?} {value}");
        }
        assert_eq!(interval.allowed_plainly(), "an integer from 1000 to 86400000 (milliseconds)");
    }

    #[test]
    fn a_number_with_a_unit_is_answered_with_what_to_write() {
        let told = |kind: Kind, text: &str| {
            let allowed = kind.check(kind.read(text)).unwrap_err().allowed;
            allowed.rsplit_once("; write ").map(|(_, number)| number.to_owned())
        };
        let (ms, bytes, peers) = (Kind::milliseconds(10), Kind::bytes(1, 1 << 40), Kind::count(1, 99_999, "peers"));
        for (kind, text, number) in [
            (ms, "30s", "30000"),
            (ms, "2 min", "120000"),
            (ms, "1h", "3600000"),
            (ms, "5_000", "5000"),
            (ms, "250ms", "250"),
            (bytes, "64KiB", "65536"),
            (bytes, "1 MB", "1048576"),
            (peers, "10k", "10000"),
            (peers, "10,000", "10000"),
        ] {
            assert_eq!(told(kind, text).as_deref(), Some(number), "{text}");
        }
        for (kind, text) in
            [(ms, "soon"), (ms, "3 KiB"), (peers, "10s"), (peers, "1m"), (ms, "99999999999999999999s"), (ms, "s")]
        {
            assert_eq!(told(kind, text), None, "{text}");
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
