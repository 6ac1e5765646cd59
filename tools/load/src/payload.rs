//! What the peers send each other: SDP- and ICE-shaped JSON of a fixed text with a stamp in it, so that a receiver
//! can tell in two comparisons that every byte came through.
//!
//! Keys are in alphabetical order: servers that parse and serialise again then give back the same bytes.

/// Hexadecimal digits of a [`Stamp`].
const STAMP: usize = 40;
/// The least sensible size of an offer.
const SHORTEST: usize = 200;

/// The kinds of signal in a WebRTC negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first SDP.
    Offer,
    /// The SDP that answers it.
    Answer,
    /// One ICE candidate.
    Candidate,
}

impl Kind {
    /// The word in Switchboard's protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Candidate => "candidate",
        }
    }
}

/// What a message carries to be checked and timed by its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The sender's index.
    pub sender: u32,
    /// [`name_hash`] of the receiver's name, 0 for everybody.
    pub receiver: u32,
    /// Grows with every message of the sender.
    pub number: u32,
    /// Nanoseconds of the generator's clock: when this message, or the offer it answers, was to be sent.
    pub time: u64,
}

impl Stamp {
    fn write(self, out: &mut [u8]) {
        hex(u64::from(self.sender), &mut out[..8]);
        hex(u64::from(self.receiver), &mut out[8..16]);
        hex(u64::from(self.number), &mut out[16..24]);
        hex(self.time, &mut out[24..STAMP]);
    }

    fn read(digits: &[u8]) -> Option<Self> {
        Some(Self {
            sender: unhex(&digits[..8])? as u32,
            receiver: unhex(&digits[8..16])? as u32,
            number: unhex(&digits[16..24])? as u32,
            time: unhex(&digits[24..STAMP])?,
        })
    }
}

/// FNV-1a, never 0: enough to notice a message that went to somebody else.
#[must_use]
pub fn name_hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5_u32, |h, o| (h ^ u32::from(*o)).wrapping_mul(0x0100_0193)).max(1)
}

/// One kind's text with a gap for the stamp.
#[derive(Debug)]
struct Template {
    kind: Kind,
    text: Vec<u8>,
    gap: usize,
}

impl Template {
    /// `before` and `after` enclose the stamp; `padding` is repeated after it until the text has `size` bytes.
    fn new(kind: Kind, before: &str, padding: &str, after: &str, size: usize) -> Self {
        let mut text = before.as_bytes().to_vec();
        let gap = text.len();
        text.resize(gap + STAMP, b'0');
        let fill = size.saturating_sub(text.len() + after.len());
        text.extend(padding.bytes().cycle().take(fill));
        text.extend_from_slice(after.as_bytes());
        Self { kind, text, gap }
    }

    fn check(&self, data: &[u8]) -> Option<Stamp> {
        let end = self.gap + STAMP;
        let same = data.len() == self.text.len()
            && data[..self.gap] == self.text[..self.gap]
            && data[end..] == self.text[end..];
        if same { Stamp::read(&data[self.gap..end]) } else { None }
    }
}

/// The three texts of a run.
#[derive(Debug)]
pub struct Payloads {
    templates: [Template; 3],
}

impl Payloads {
    /// `size` is the length of an offer's and of an answer's JSON in bytes, at least 200. Candidates have 160.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let size = size.max(SHORTEST);
        // No escape within: it must not be cut in two.
        let line = "a=rtpmap:111 opus/48000/2 a=fmtp:111 minptime=10;useinbandfec=1 a=rtcp-fb:111 transport-cc ";
        let sdp = "{\"sdp\":\"v=0\\r\\no=- ";
        let candidate = "{\"candidate\":\"candidate:";
        let route = " 1 udp 2122260223 192.0.2.17 54401 typ host generation 0 ";
        Self {
            templates: [
                Template::new(Kind::Offer, sdp, line, "\\r\\n\",\"type\":\"offer\"}", size),
                Template::new(Kind::Answer, sdp, line, "\\r\\n\",\"type\":\"answer\"}", size),
                Template::new(Kind::Candidate, candidate, route, "\",\"sdpMLineIndex\":0,\"sdpMid\":\"0\"}", 160),
            ],
        }
    }

    /// Appends the JSON of one message.
    pub fn write(&self, kind: Kind, stamp: Stamp, out: &mut Vec<u8>) {
        let template = &self.templates[kind as usize];
        let start = out.len();
        out.extend_from_slice(&template.text);
        stamp.write(&mut out[start + template.gap..start + template.gap + STAMP]);
    }

    /// The stamp of a message that came through unharmed; `None` for anything else.
    #[must_use]
    pub fn check(&self, data: &[u8]) -> Option<(Kind, Stamp)> {
        self.templates.iter().find_map(|t| Some((t.kind, t.check(data)?)))
    }
}

fn hex(mut value: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn unhex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |n, d| {
        let value = match d {
            b'0'..=b'9' => d - b'0',
            b'a'..=b'f' => d - b'a' + 10,
            _ => return None,
        };
        Some((n << 4) | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMPED: Stamp = Stamp { sender: 7, receiver: 0xdead_beef, number: 41, time: 0x0123_4567_89ab_cdef };

    #[test]
    fn what_was_written_is_recognised_with_its_stamp() {
        let payloads = Payloads::new(2048);
        for kind in [Kind::Offer, Kind::Answer, Kind::Candidate] {
            let mut data = Vec::new();
            payloads.write(kind, STAMPED, &mut data);
            assert_eq!(payloads.check(&data), Some((kind, STAMPED)));
            assert_eq!(data.len(), if kind == Kind::Candidate { 160 } else { 2048 });
        }
    }

    #[test]
    fn one_changed_byte_anywhere_is_noticed_or_changes_the_stamp() {
        let payloads = Payloads::new(300);
        let mut data = Vec::new();
        payloads.write(Kind::Offer, STAMPED, &mut data);
        for at in 0..data.len() {
            let kept = data[at];
            data[at] ^= 1;
            assert_ne!(payloads.check(&data), Some((Kind::Offer, STAMPED)), "byte {at}");
            data[at] = kept;
        }
        assert_eq!(payloads.check(&data[..299]), None);
    }

    #[test]
    fn the_texts_are_json_that_survives_parsing_and_serialising() {
        let payloads = Payloads::new(2048);
        for kind in [Kind::Offer, Kind::Answer, Kind::Candidate] {
            let mut data = Vec::new();
            payloads.write(kind, STAMPED, &mut data);
            let value: serde_json::Value = serde_json::from_slice(&data).unwrap();
            assert_eq!(serde_json::to_vec(&value).unwrap(), data);
        }
    }
}
