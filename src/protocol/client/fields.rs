//! A client frame taken apart: which fields it has and the raw text of each. No value is built, no text is copied.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Longest part of a client's unknown field name that a message quotes.
const QUOTED_CHARS: usize = 64;

/// All fields that a client frame of any type may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub(super) enum Field {
    Type,
    Id,
    Room,
    Meta,
    Attempt,
    Resumable,
    Resume,
    Identity,
    Replace,
    To,
    Kind,
    Data,
    T,
    Ack,
    Token,
    Peer,
    Who,
    User,
    Reason,
    #[strum(serialize = "banMs")]
    BanMs,
    Locked,
    Events,
}

impl Field {
    pub(super) const ALL: &[Self] = Self::VARIANTS;

    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }

    /// Its place in a set of fields.
    const fn bit(self) -> u32 {
        1 << self as u32
    }

    #[inline]
    pub(super) fn named(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// Some of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldSet(u32);

impl FieldSet {
    /// These.
    pub(super) const fn of(fields: &[Field]) -> Self {
        let (mut bits, mut rest) = (0, fields);
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// One by one.
    #[cfg(test)]
    pub(super) fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.iter().copied().filter(move |field| self.0 & field.bit() != 0)
    }
}

/// The fields of one frame.
#[derive(Default)]
pub(super) struct Fields<'a> {
    values: [Option<&'a str>; Field::ALL.len()],
    /// Those that are there; a bit for each.
    present: u32,
    /// Those of them that stand there more than once.
    repeated: u32,
    unknown: Option<String>,
}

impl<'a> Fields<'a> {
    /// The raw JSON text of a field; `None` when it is absent.
    pub(super) fn raw(&self, field: Field) -> Option<&'a str> {
        self.values[field as usize]
    }

    /// The first of the fields that stand there more than once. Parsers disagree about which one counts, so none does.
    pub(super) fn repeated(&self) -> Option<Field> {
        // Mostly none is, and nobody pays for a look at each.
        if self.repeated == 0 { None } else { Field::ALL.iter().copied().find(|field| self.is_repeated(*field)) }
    }

    pub(super) fn is_repeated(&self, field: Field) -> bool {
        self.repeated & field.bit() != 0
    }

    /// The name, cut to 64 characters, of the first field that no frame has.
    pub(super) fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// The first field that is neither common to all frames nor one of `own`.
    pub(super) fn foreign(&self, own: FieldSet) -> Option<Field> {
        const COMMON: u32 = Field::Type.bit() | Field::Id.bit();
        let foreign = self.present & !(COMMON | own.0);
        // Mostly there is none.
        if foreign == 0 { None } else { Field::ALL.get(foreign.trailing_zeros() as usize).copied() }
    }

    pub(super) fn put(&mut self, field: Field, raw: &'a str) {
        self.repeated |= self.present & field.bit();
        self.present |= field.bit();
        self.values[field as usize] = Some(raw);
    }
}

/// The content of the JSON string whose raw text is `raw`, unescaped; `None` when it is no string, or one with half a
/// surrogate pair.
pub(super) fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inside = raw.strip_prefix('"')?.strip_suffix('"')?;
    // All bytes at once: these are words and names, and to stop at the first takes longer.
    let escapes = inside.bytes().fold(0, |found, byte| found | u8::from(byte == b'\\'));
    if escapes != 0 { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inside)) }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    // Goes on after an unknown or a repeated field, so that the refusal can carry the request's `id`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key()? {
            match name {
                Name::Known(field) => fields.put(field, map.next_value::<&RawValue>()?.get()),
                Name::Unknown(name) => {
                    map.next_value::<IgnoredAny>()?;
                    fields.unknown.get_or_insert(name);
                }
            }
        }
        Ok(fields)
    }
}

enum Name {
    Known(Field),
    Unknown(String),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        Ok(Field::named(name).map_or_else(|| Name::Unknown(name.chars().take(QUOTED_CHARS).collect()), Name::Known))
    }
}
