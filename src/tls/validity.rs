//! From when to when a certificate is good: its `Validity` (RFC 5280 section 4.1.2.5). rustls does not look at a server's own.

use std::time::SystemTime;

use simple_asn1::{ASN1Block, from_der};

/// Both ends of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    /// Not before.
    pub(super) begins: SystemTime,
    /// Not after.
    pub(super) ends: SystemTime,
}

impl Validity {
    /// That of a certificate in DER; `None`: it is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let whole = from_der(certificate).ok()?;
        let [ASN1Block::Sequence(_, parts)] = &whole[..] else { return None };
        let ASN1Block::Sequence(_, to_be_signed) = parts.first()? else { return None };
        // After the version, which may be left out, the serial number, the algorithm and the issuer. Nothing else there is
        // a sequence that begins with a time.
        to_be_signed.iter().find_map(|part| match part {
            ASN1Block::Sequence(_, times) => match &times[..] {
                [begins, ends] => Some(Self { begins: time(begins)?, ends: time(ends)? }),
                _ => None,
            },
            _ => None,
        })
    }
}

fn time(block: &ASN1Block) -> Option<SystemTime> {
    match block {
        ASN1Block::UTCTime(_, time) | ASN1Block::GeneralizedTime(_, time) => Some(time.assume_utc().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec!["meet.example".to_owned()]).unwrap();
        // Years from 2050 on are written in another way.
        (parameters.not_before, parameters.not_after) = (date_time_ymd(2001, 9, 9), date_time_ymd(2100, 1, 1));
        let certificate = parameters.self_signed(&key).unwrap();
        let found = Validity::of(certificate.der()).unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(found, Validity { begins: at(999_993_600), ends: at(4_102_444_800) });
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        for bytes in [&b""[..], b"\x30\x00", b"\x30\x02\x30\x00", b"text", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(Validity::of(bytes), None, "{bytes:?}");
        }
    }
}
