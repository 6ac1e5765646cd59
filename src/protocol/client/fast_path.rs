//! The quick reading of a frame: one walk over its bytes that checks the grammar of RFC 8259 and marks where fields
//! begin and end. It stands before `serde_json`, which takes nearly twice as long for the same.
//!
//! It knows good frames only. Whatever else it meets, be it wrong or merely unusual, it leaves to `serde_json` by `None`,
//! so that there is one judge of what is wrong and one author of the messages that say so.

use std::ops::Range;

use super::fields::{Field, Fields};
use crate::protocol::{
    scan,
    simd::{self, WIDTH},
};

/// Deepest nesting of a field's value that is read here; it bounds the recursion.
const LEVELS: u32 = 64;

/// Whether that byte and a backslash before it are an escape (RFC 8259 section 7). Asked for some hundred of an SDP.
const SHORT: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &[u8] = b"\"\\/bfnrt";
    while let [byte, others @ ..] = rest {
        table[*byte as usize] = true;
        rest = others;
    }
    table
};

/// Puts the fields of a frame into `fields`, where there are none yet. `None`: that is for `serde_json` to do, whatever stands there
/// now. (In their place, since 400 bytes that are handed on are copied each time.)
pub(super) fn read<'a>(text: &'a str, fields: &mut Fields<'a>) -> Option<()> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    reader.space();
    reader.expect(b'{')?;
    reader.members(LEVELS, |name, value| {
        fields.put(Field::named(&text[name])?, &text[value]);
        Some(())
    })?;
    reader.space();
    (reader.at == text.len()).then_some(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn takes(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// A value that may nest so many `levels` more.
    fn value(&mut self, levels: u32) -> Option<()> {
        match self.next()? {
            b'"' => self.string(),
            b'{' => self.members(levels.checked_sub(1)?, |_, _| Some(())),
            b'[' => self.items(levels.checked_sub(1)?),
            b't' => self.word(b"rue"),
            b'f' => self.word(b"alse"),
            b'n' => self.word(b"ull"),
            b'-' => {
                let first = self.next()?;
                self.number(first)
            }
            first => self.number(first),
        }
    }

    /// The rest of an object. `member` is told where each name, without its quotation marks and with its escapes, and each
    /// value stands.
    fn members(&mut self, levels: u32, mut member: impl FnMut(Range<usize>, Range<usize>) -> Option<()>) -> Option<()> {
        self.space();
        if self.takes(b'}') {
            return Some(());
        }
        loop {
            self.space();
            self.expect(b'"')?;
            let begin = self.at;
            self.string()?;
            let name = begin..self.at - 1;
            self.space();
            self.expect(b':')?;
            self.space();
            let begin = self.at;
            self.value(levels)?;
            member(name, begin..self.at)?;
            self.space();
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn items(&mut self, levels: u32) -> Option<()> {
        self.space();
        if self.takes(b']') {
            return Some(());
        }
        loop {
            self.space();
            self.value(levels)?;
            self.space();
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(rest).then(|| self.at += rest.len())
    }

    /// What follows the sign and the `first` digit (RFC 8259 section 6). A number that not every parser can hold is not
    /// good; only those with an exponent and very long ones can be such.
    fn number(&mut self, first: u8) -> Option<()> {
        let begin = self.at - 1;
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.takes(b'.') {
            self.some_digits()?;
        }
        let plain = !matches!(self.peek(), Some(b'e' | b'E'));
        if !plain {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let good = plain && self.at - begin <= scan::PLAIN_NUMBER;
        (good || scan::number_fits(&self.bytes[begin..self.at])).then_some(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Option<()> {
        self.next()?.is_ascii_digit().then(|| self.digits())
    }

    /// The rest of a string, its closing quotation mark included. Most bytes of a payload are read here, [`WIDTH`] at a
    /// time.
    fn string(&mut self) -> Option<()> {
        while let Some(block) = self.bytes[self.at..].first_chunk::<WIDTH>() {
            let begin = self.at;
            self.at += WIDTH;
            let mut special = simd::places(*block);
            while special != 0 {
                let place = special.trailing_zeros() as usize;
                match (block[place % WIDTH], block.get(place + 1)) {
                    (b'"', _) => {
                        self.at = begin + place + 1;
                        return Some(());
                    }
                    (b'\\', Some(short)) if SHORT[usize::from(*short)] => special &= !(0b11 << place),
                    (b'\\', _) => {
                        // By number, or not in this block: goes on behind it with a new one.
                        self.at = self.escape(begin + place + 1)?;
                        break;
                    }
                    // A control character.
                    _ => return None,
                }
            }
        }
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.at = self.escape(self.at)?,
                0..=0x1F => return None,
                _ => {}
            }
        }
    }

    /// The end of an escape whose byte after the backslash is at `at`.
    fn escape(&self, at: usize) -> Option<usize> {
        match self.bytes.get(at)? {
            b'u' => {
                let digits = self.bytes.get(at + 1..at + 5)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 5)
            }
            short => SHORT[usize::from(*short)].then_some(at + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn fields(text: &str) -> Option<Fields<'_>> {
        let mut fields = Fields::default();
        read(text, &mut fields).map(|()| fields)
    }

    fn raw<'a>(fields: &Fields<'a>) -> Vec<(Field, Option<&'a str>, bool)> {
        Field::ALL.iter().map(|&field| (field, fields.raw(field), fields.is_repeated(field))).collect()
    }

    /// JSON and what is nearly JSON, laid out in all ways, with strings about as long as the blocks that are asked at once.
    fn near_values() -> impl Strategy<Value = String> {
        let plain = "[ -!#-\\[\\]-~é\u{1F600}]{0,40}";
        let piece = prop_oneof![
            4 => plain,
            2 => prop::sample::select(vec![r"\n", r"\r\n", r"\\", r#"\""#, r"\/", r"\u00e9", r"\uD83d\ude00"])
                .prop_map(str::to_owned),
            1 => prop::sample::select(vec![r"\", r"\x", r"\u12", r"\u12G4", "\"", "\u{1f}", "\n", "\u{7f}"])
                .prop_map(str::to_owned),
        ];
        let string = prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()));
        let number = prop_oneof![
            8 => "-?[01]?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?",
            1 => "-?[1-9](\\.[0-9]{0,2})?[eE][+-]?[0-3][0-9]{2}",
            1 => (0..3_usize, 300..405_usize).prop_map(|(at, digits)| {
                ["1", "-0.", "1e-"][at].to_owned() + &"7".repeat(digits)
            }),
        ];
        let word = prop::sample::select(vec!["true", "false", "null", "tru", "nul", "NaN", "1e999"]);
        let leaf = prop_oneof![4 => string, 2 => number, 1 => word.prop_map(str::to_owned)];
        leaf.prop_recursive(6, 32, 4, |inner| {
            let space = "[ \t\r\n]{0,2}";
            let items = prop::collection::vec((inner.clone(), space), 0..4);
            let members = prop::collection::vec(("\"[a-z]{0,3}\"", space, inner), 0..4);
            prop_oneof![
                items.prop_map(|items| {
                    let items: Vec<_> =
                        items.into_iter().map(|(item, space)| format!("{space}{item}{space}")).collect();
                    format!("[{}]", items.join(","))
                }),
                members.prop_map(|members| {
                    let members: Vec<_> =
                        members.into_iter().map(|(name, space, value)| format!("{name}{space}:{value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    /// Whatever is read here, `serde_json` reads alike.
    fn agrees(text: &str) -> bool {
        let Some(quick) = fields(text) else { return false };
        let slow: Fields<'_> = serde_json::from_str(text).expect("serde_json reads it, too");
        assert_eq!(raw(&quick), raw(&slow), "{text}");
        assert_eq!(slow.unknown(), None);
        assert!(scan::numbers_fit(text), "{text}");
        true
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn nothing_is_read_that_serde_json_refuses_or_reads_otherwise(value in near_values(), other in near_values()) {
            let text = format!(r#"{{"type":"signal", "data" :{value},"id":{other} }}"#);
            let good = serde_json::from_str::<Fields<'_>>(&text).is_ok() && scan::numbers_fit(&text);
            // The other way round holds as well here: names and depth are those of frames.
            prop_assert_eq!(agrees(&text), good);
        }

        #[test]
        fn one_byte_changed_changes_nothing_of_that(value in near_values(), at in any::<prop::sample::Index>(), byte in 0_u8..128) {
            let mut text = format!(r#"{{"type":"signal","to":"*","data":{value}}}"#).into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            if let Ok(text) = String::from_utf8(text) {
                agrees(&text);
            }
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_serde_json() {
        let deep = |levels: usize| format!(r#"{{"data":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(agrees(&deep(64)) && agrees("{}"));
        let long = format!(r#"{{"data":1{}}}"#, "0".repeat(309));
        for text in [deep(65), r#"{"\u0074ype":1}"#.into(), r#"{"later":1}"#.into(), r#"{"t":1e309}"#.into(), long] {
            assert!(serde_json::from_str::<Fields<'_>>(&text).is_ok() && !agrees(&text), "{text}");
        }
    }

    #[test]
    fn what_is_cut_short_is_not_read() {
        let text = r#" {"type":"signal","id":"a\u00e9b","t":-1.5e+3,"data":[{"a":[]},{},true,"a longer text than one block\r\n"]} "#;
        assert!(agrees(text));
        let end = text.len() - 2;
        for short in (0..=end).filter_map(|end| text.get(..end)) {
            assert!(fields(short).is_none(), "{short}");
        }
        assert!(fields(&format!("{text},")).is_none());
    }
}
