//! Writes JSON objects straight into a frame's buffer: raw pieces (metadata, payloads) go in as they are.

use std::io::Write;

use super::frames::FrameKind;
use crate::protocol::{ids::PeerId, meta::Meta, who::Who};

/// A JSON object being written. Keys are ours and need no escaping.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// A server frame, which starts with its `type`.
    pub(crate) fn frame(out: &'o mut Vec<u8>, kind: FrameKind) -> Self {
        Self::open(out).word("type", kind.as_str())
    }

    pub(crate) fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        write_text(self.out, value);
        self
    }

    /// A text in which nothing has to be escaped: a word of ours, or digits.
    #[inline]
    pub(crate) fn word(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        write_word(self.out, value);
        self
    }

    pub(crate) fn text_if(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    pub(crate) fn number(mut self, key: &str, value: u64) -> Self {
        self.key(key);
        write!(self.out, "{value}").expect("a vector takes every byte");
        self
    }

    pub(crate) fn number_if(self, key: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(key, value),
            None => self,
        }
    }

    #[inline]
    pub(crate) fn flag(self, key: &str, value: bool) -> Self {
        self.raw(key, if value { "true" } else { "false" })
    }

    pub(crate) fn flag_if(self, key: &str, value: Option<bool>) -> Self {
        match value {
            Some(value) => self.flag(key, value),
            None => self,
        }
    }

    #[inline]
    pub(crate) fn peer(self, key: &str, value: PeerId) -> Self {
        self.word(key, value.encode(&mut [0; PeerId::TEXT_BYTES]))
    }

    pub(crate) fn peer_if(self, key: &str, value: Option<PeerId>) -> Self {
        match value {
            Some(value) => self.peer(key, value),
            None => self,
        }
    }

    pub(crate) fn who_if(self, value: Option<Who>) -> Self {
        match value {
            Some(who) => self.word("who", who.encode(&mut [0; Who::TEXT_BYTES])),
            None => self,
        }
    }

    pub(crate) fn meta_if(self, value: Option<&Meta>) -> Self {
        self.raw_if("meta", value.map(Meta::as_str))
    }

    /// `json` must be valid JSON.
    pub(crate) fn raw(mut self, key: &str, json: &str) -> Self {
        self.key(key);
        self.out.extend_from_slice(json.as_bytes());
        self
    }

    pub(crate) fn raw_if(self, key: &str, json: Option<&str>) -> Self {
        match json {
            Some(json) => self.raw(key, json),
            None => self,
        }
    }

    pub(crate) fn texts<'t>(mut self, key: &str, values: impl IntoIterator<Item = &'t str>) -> Self {
        self.key(key);
        write_array(self.out, values, write_text);
        self
    }

    pub(crate) fn texts_if<'t>(self, key: &str, values: Option<impl IntoIterator<Item = &'t str>>) -> Self {
        match values {
            Some(values) => self.texts(key, values),
            None => self,
        }
    }

    pub(crate) fn array_if<'t, T>(
        mut self,
        key: &str,
        values: Option<&'t [T]>,
        write: impl Fn(&mut Vec<u8>, &'t T),
    ) -> Self {
        if let Some(values) = values {
            self.key(key);
            write_array(self.out, values, write);
        }
        self
    }

    pub(crate) fn object(mut self, key: &str, fill: impl FnOnce(Object<'_>) -> Object<'_>) -> Self {
        self.key(key);
        fill(Object::open(self.out)).close();
        self
    }

    pub(crate) fn object_if<T>(
        self,
        key: &str,
        value: Option<T>,
        fill: impl FnOnce(Object<'_>, T) -> Object<'_>,
    ) -> Self {
        match value {
            Some(value) => self.object(key, |object| fill(object, value)),
            None => self,
        }
    }

    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    // Inlined, so that the lengths of keys are known where they are copied.
    #[inline]
    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// Appends a JSON array whose items `write` appends.
fn write_array<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

#[inline]
fn write_word(out: &mut Vec<u8>, value: &str) {
    debug_assert!(value.bytes().all(|byte| byte > b' ' && byte.is_ascii() && !br#""\"#.contains(&byte)), "{value}");
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

fn write_text(out: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(out, value).expect("a string is JSON and a vector takes every byte");
}
