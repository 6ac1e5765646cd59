//! Finding a field in a text of known shape. The servers' texts are machine-made and flat; a generator that parsed them
//! into values would cost more than the servers it measures.

use memchr::{memchr, memmem};

/// What stands between `before` (found first from the start) and the next quotation mark.
pub(super) fn string_after<'a>(text: &'a [u8], before: &[u8]) -> Option<&'a [u8]> {
    let rest = after(text, before)?;
    Some(&rest[..memchr(b'"', rest)?])
}

/// What follows `before`, found first from the start.
pub(super) fn after<'a>(text: &'a [u8], before: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::find(text, before)?;
    Some(&text[at + before.len()..])
}

/// What stands between `before` (found from the start) and `end` (found from the end).
pub(super) fn between<'a>(text: &'a [u8], before: &[u8], end: &[u8]) -> Option<&'a [u8]> {
    let rest = after(text, before)?;
    Some(&rest[..memmem::rfind(rest, end)?])
}

/// How often `needle` occurs.
pub(super) fn count(text: &[u8], needle: &[u8]) -> u32 {
    memmem::find_iter(text, needle).count() as u32
}

/// Appends all parts.
pub(super) fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_their_absence_too() {
        let text = br#"{"from":"ab","data":{"x":{}}}"#;
        assert_eq!(string_after(text, b"\"from\":\""), Some(&b"ab"[..]));
        assert_eq!(between(text, b"\"data\":", b"}"), Some(&b"{\"x\":{}}"[..]));
        assert_eq!(string_after(text, b"\"to\":\""), None);
        assert_eq!(string_after(b"\"from\":\"ab", b"\"from\":\""), None);
        assert_eq!(count(b"aXbXc", b"X"), 2);
    }
}
