//! Questions about JSON text that `serde_json` leaves open for a value it only passes through: a `RawValue` is
//! grammatical, but may be nested without limit, and may hold half a surrogate pair or a number that no double holds.

use std::sync::LazyLock;

use memchr::{memchr2, memchr2_iter, memmem::Finder};

/// Most digits of a number, those of its fraction and its exponent included. A double has 17 that matter; parsers that keep
/// them all take more than linear time for long ones, so one peer could hold up another.
const NUMBER_DIGITS: usize = 400;
/// The longest number, without an exponent, of which nothing need be asked: with one digit more it can be beyond 1.8e308.
pub(super) const PLAIN_NUMBER: usize = 308;

/// How an escape by number begins. Prepared once: for 2 kB the search costs a quarter of that by `str::contains`.
static NUMBERED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u"));

/// Whether arrays and objects are nested at most `limit` deep; a bare scalar is 0 deep. `json` must be valid JSON.
#[must_use]
pub(super) fn depth_within(json: &str, limit: usize) -> bool {
    // Almost every payload has fewer brackets than the limit, those in strings included.
    let openers = memchr2_iter(b'{', b'[', json.as_bytes());
    openers.take(limit.saturating_add(1)).count() <= limit || depth(json) <= limit
}

fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether a `\u` escape stands for half a surrogate pair. RFC 8259 (section 8.2) lets it pass and leaves the meaning
/// open; strict parsers refuse the whole frame, so one peer could break another. `json` must be valid JSON.
#[must_use]
pub(super) fn has_lone_surrogate(json: &str) -> bool {
    NUMBERED.find(json.as_bytes()).is_some() && escapes_are_torn(json)
}

fn escapes_are_torn(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        rest = &rest[at..];
        let taken = match code_unit(rest) {
            Some(0xD800..=0xDBFF) => match rest.get(6..).and_then(code_unit) {
                Some(0xDC00..=0xDFFF) => 12,
                _ => return true,
            },
            Some(0xDC00..=0xDFFF) => return true,
            Some(_) => 6,
            None => 2,
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    false
}

/// The UTF-16 code unit of the `\uXXXX` that `text` starts with.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// Whether every number outside of strings is one that all parsers read alike (see [`number_fits`]). `json` must be valid
/// JSON.
#[must_use]
pub(super) fn numbers_fit(json: &str) -> bool {
    let mut rest = json.as_bytes();
    while let [first, others @ ..] = rest {
        rest = match first {
            b'"' => after_string(others),
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(|byte| is_part(byte)).count();
                let (number, others) = rest.split_at(length);
                if !number_fits(number) {
                    return false;
                }
                others
            }
            _ => others,
        };
    }
    true
}

/// What follows the string that `rest` is within.
fn after_string(mut rest: &[u8]) -> &[u8] {
    loop {
        match rest {
            [b'"', others @ ..] => return others,
            [b'\\', _, others @ ..] | [_, others @ ..] => rest = others,
            [] => return rest,
        }
    }
}

/// Whether a number, written as RFC 8259 (section 6) has it, is a finite double of at most 400 digits. That section warns
/// of others: some parsers make them infinite, some refuse the whole frame, and some take very long.
#[must_use]
pub(super) fn number_fits(number: &[u8]) -> bool {
    let exponent = memchr2(b'e', b'E', number).is_some();
    if number.len() <= PLAIN_NUMBER && !exponent {
        return true;
    }
    let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(number).ok().and_then(|text| text.parse::<f64>().ok());
    digits <= NUMBER_DIGITS && value.is_some_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use serde_json::Value;

    use super::*;

    const PIECES: &[&str] = &[r"\ud83d", r"\uDE00", r"\u00e9", r"\\", r"\n", "u", "ud83d", "é"];

    fn naive_depth(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(naive_depth).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(naive_depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Values whose strings are full of what could mislead the scan.
    fn values() -> impl Strategy<Value = Value> {
        let text = r#"[{}\[\]"\\a/]{0,6}"#;
        let leaf = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), text.prop_map(Value::from)];
        leaf.prop_recursive(8, 48, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn depth_agrees_with_a_naive_count(value in values(), limit in 0_usize..10) {
            let naive = naive_depth(&value);
            prop_assert_eq!(depth(&value.to_string()), naive);
            prop_assert_eq!(depth_within(&value.to_string(), limit), naive <= limit);
        }

        #[test]
        fn numbers_are_judged_wherever_they_stand(
            texts in prop::collection::vec(r#"[-0-9eE.\[\]{}\"\\a]{0,6}"#, 0..3),
            number in "-?[1-9][0-9]{0,2}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        ) {
            let value = serde_json::json!({ "a": texts, "1e999": [texts] });
            let json = value.to_string();
            prop_assert!(numbers_fit(&json), "none in strings: {}", json);
            let finite = number.parse::<f64>().expect("a number").is_finite();
            prop_assert_eq!(numbers_fit(&json.replacen('{', &format!("{{\"n\":[{number} ],"), 1)), finite);
            prop_assert_eq!(numbers_fit(&number), finite);
        }

        #[test]
        fn surrogates_are_judged_as_serde_json_judges_a_string(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..8)
        ) {
            let json = format!("\"{}\"", pieces.concat());
            prop_assert_eq!(has_lone_surrogate(&json), serde_json::from_str::<String>(&json).is_err());
        }
    }

    #[test]
    fn the_last_number_that_fits_fits() {
        let nines = |count: usize| "9".repeat(count);
        let fraction = |digits: usize| format!("0.{}", nines(digits - 1));
        for good in [
            "0",
            "-0",
            "1e308",
            "1.7976931348623157e308",
            "-1.7976931348623158E+308",
            "1e-999",
            "0e999999",
            "0.0e+400",
            &nines(308),
            &fraction(400),
            &format!("1e-{}", nines(399)),
            &format!("0e{}", nines(399)),
        ] {
            assert!(number_fits(good.as_bytes()), "{good}");
        }
        for bad in [
            "1e309",
            "-1e309",
            "1.7976931348623159e308",
            "1e999999999999999999999",
            "10E+308",
            &format!("1{}", "0".repeat(309)),
            &nines(309),
            &nines(400),
            &fraction(401),
            &format!("-{}", fraction(401)),
            &format!("1e-{}", nines(400)),
            &format!("0e{}", nines(400)),
        ] {
            assert!(!number_fits(bad.as_bytes()), "{bad}");
        }
    }
}
