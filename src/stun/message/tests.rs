use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// RFC 5769 section 2.1: a check between two peers, with PRIORITY, which is none of a STUN server's business.
const SAMPLE_REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80\
    290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
/// RFC 5769 section 2.2: an answer that names 192.0.2.1:32853.
const SAMPLE_RESPONSE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a6\
    43000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
/// RFC 5769 section 2.3: one that names [2001:db8:1234:5678:11:2233:4455:6677]:32853.
const SAMPLE_RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9\
    faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";
/// RFC 5769 section 2.4: a request with long-term credentials.
const SAMPLE_REQUEST_AUTH: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000\
    0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341001400\
    0b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

const V4: &str = "192.0.2.1:32853";
const V6: &str = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
/// The sample messages' transaction.
const TRANSACTION: &str = "b7e7a701bc34d686fa87dfae";
/// What the sample responses have for the two addresses.
const XOR_V4: &str = "002000080001a147e112a643";
const XOR_V6: &str = "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    digits.chunks(2).map(byte).collect()
}

/// A message of that type with the sample's transaction, and what follows the head.
fn message(kind: &str, attributes: &str) -> Vec<u8> {
    let rest = bytes(attributes);
    bytes(&format!("{kind}{:04x}2112a442{TRANSACTION}{attributes}", rest.len()))
}

fn ask(request: &[u8], source: &str) -> Result<String, StunOutcome> {
    let answer = answer(request, source.parse().expect("an address"))?;
    let byte = |mut hex: String, byte: &u8| {
        write!(hex, "{byte:02x}").expect("a text takes it");
        hex
    };
    Ok(answer.bytes().iter().fold(String::new(), byte))
}

fn success(attribute: &str) -> String {
    format!("0101{:04x}2112a442{TRANSACTION}{attribute}", attribute.len() / 2)
}

/// Error 420, without a reason, and the attributes that were not understood.
fn unsupported(unknown: &str) -> String {
    let padding = if unknown.len().is_multiple_of(8) { "" } else { "0000" };
    let rest = format!("0009000400000414000a{:04x}{unknown}{padding}", unknown.len() / 2);
    format!("0111{:04x}2112a442{TRANSACTION}{rest}", rest.len() / 2)
}

#[test]
fn a_binding_request_is_answered_with_where_it_came_from() {
    let plain = message("0001", "");
    for (what, request, source, expected) in [
        ("RFC 5769's IPv4 address", plain.clone(), V4, success(XOR_V4)),
        ("RFC 5769's IPv6 address", plain.clone(), V6, success(XOR_V6)),
        ("an IPv4 address on a socket of IPv6", plain.clone(), "[::ffff:192.0.2.1]:32853", success(XOR_V4)),
        ("the first port of clients", plain.clone(), "192.0.2.1:1024", success("0020000800012512e112a643")),
        ("a private address", plain.clone(), "10.0.0.1:32853", success("002000080001a1472b12a443")),
        ("SOFTWARE", message("0001", "8022000474657374"), V4, success(XOR_V4)),
        ("an attribute that may be unknown", message("0001", "c0570004000003e7"), V4, success(XOR_V4)),
        ("an empty attribute", message("0001", "80220000"), V4, success(XOR_V4)),
        (
            "MAPPED-ADDRESS, which is known and says nothing",
            message("0001", "000100080001a147c0000201"),
            V4,
            success(XOR_V4),
        ),
        ("USERNAME", message("0001", "0006000474657374"), V4, success(XOR_V4)),
        ("USERHASH", message("0001", &format!("001e0020{}", "00".repeat(32))), V4, success(XOR_V4)),
        ("RFC 5769's check between peers", bytes(SAMPLE_REQUEST), V4, unsupported("0024")),
        ("CHANGE-REQUEST (RFC 5780)", message("0001", "0003000400000006"), V4, unsupported("0003")),
        ("two that are unknown", message("0001", "00240004000000010025000080220000"), V4, unsupported("00240025")),
        (
            "seven that are unknown",
            message("0001", "70000000700100007002000070030000700400007005000070060000"),
            V4,
            unsupported("700070017002700370047005"),
        ),
    ] {
        assert_eq!(ask(&request, source), Ok(expected), "{what}");
    }
}

#[test]
fn rfc_5769_s_request_with_credentials_is_answered_and_says_nothing_of_them() {
    let answer = ask(&bytes(SAMPLE_REQUEST_AUTH), V4).expect("an answer");
    assert!(answer.starts_with("0101000c2112a44278ad3433c6ad72c029da412e") && answer.len() == 64, "{answer}");
}

#[test]
fn whatever_else_is_not_answered() {
    let plain = message("0001", "");
    let cut = |length: usize| plain[..length].to_vec();
    for (what, request, source, outcome) in [
        ("nothing", vec![], V4, StunOutcome::NotStun),
        ("one byte", vec![0], V4, StunOutcome::NotStun),
        ("a head without its end", cut(19), V4, StunOutcome::NotStun),
        ("text", b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec(), V4, StunOutcome::NotStun),
        ("DNS", bytes("abcd01000001000000000000076578616d706c6503636f6d0000010001"), V4, StunOutcome::NotStun),
        ("DTLS", bytes(&format!("16fefd0000000000000000{}", "00".repeat(20))), V4, StunOutcome::NotStun),
        ("RTP", bytes(&format!("80600000{}", "00".repeat(20))), V4, StunOutcome::NotStun),
        ("channel data (RFC 8656)", bytes(&format!("40000010{}", "00".repeat(16))), V4, StunOutcome::NotStun),
        ("no magic cookie (RFC 3489)", bytes(&format!("00010000{}", "11".repeat(16))), V4, StunOutcome::NotStun),
        ("RFC 5769's response, IPv4", bytes(SAMPLE_RESPONSE_V4), V4, StunOutcome::NotBinding),
        ("RFC 5769's response, IPv6", bytes(SAMPLE_RESPONSE_V6), V4, StunOutcome::NotBinding),
        ("an answer of our own", bytes(&success(XOR_V4)), V4, StunOutcome::NotBinding),
        ("an error response", message("0111", "0009000400000414"), V4, StunOutcome::NotBinding),
        ("an indication", message("0011", ""), V4, StunOutcome::NotBinding),
        ("Allocate (TURN)", message("0003", "0019000411000000"), V4, StunOutcome::NotBinding),
        ("a method that nobody knows", message("0fff", ""), V4, StunOutcome::NotBinding),
        ("a length beyond the datagram", bytes(&format!("000100042112a442{TRANSACTION}")), V4, StunOutcome::Malformed),
        ("bytes behind its end", [plain.clone(), vec![0; 4]].concat(), V4, StunOutcome::Malformed),
        (
            "a length that is not padded",
            bytes(&format!("000100022112a442{TRANSACTION}0000")),
            V4,
            StunOutcome::Malformed,
        ),
        ("an attribute beyond the end", message("0001", "8022000874657374"), V4, StunOutcome::Malformed),
        (
            "half of an attribute's head",
            bytes(&format!("000100022112a442{TRANSACTION}8022")),
            V4,
            StunOutcome::Malformed,
        ),
        ("a wrong fingerprint", message("0001", "8028000400000000"), V4, StunOutcome::Malformed),
        (
            "more than one packet",
            message("0001", &format!("80220500{}", "00".repeat(1280))),
            V4,
            StunOutcome::Malformed,
        ),
        ("a service's port", plain.clone(), "192.0.2.1:1023", StunOutcome::Source),
        ("the port of DNS", plain.clone(), "192.0.2.1:53", StunOutcome::Source),
        ("no port", plain.clone(), "192.0.2.1:0", StunOutcome::Source),
        ("multicast", plain.clone(), "224.0.0.251:5353", StunOutcome::Source),
        ("multicast, IPv6", plain.clone(), "[ff02::1]:5353", StunOutcome::Source),
        ("multicast in IPv6's clothes", plain.clone(), "[::ffff:224.0.0.1]:5353", StunOutcome::Source),
        ("broadcast", plain.clone(), "255.255.255.255:5353", StunOutcome::Source),
        ("no address", plain.clone(), "0.0.0.0:5353", StunOutcome::Source),
        ("no address, IPv6", plain.clone(), "[::]:5353", StunOutcome::Source),
    ] {
        assert_eq!(ask(&request, source), Err(outcome), "{what}");
    }
}

#[test]
fn a_fingerprint_that_is_right_is_taken() {
    use stun_types::message::MessageWriteVec;
    let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
    request.add_fingerprint().expect("room");
    let mut request = request.finish();
    assert!(answer(&request, V4.parse().expect("an address")).is_ok());
    let last = request.len() - 1;
    request[last] ^= 1;
    assert_eq!(ask(&request, V4), Err(StunOutcome::Malformed));
}

/// Attributes of any type and length, padded as they have to be.
fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let attribute = (any::<u16>(), prop::collection::vec(any::<u8>(), 0..24)).prop_map(|(kind, mut value)| {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
        value.resize(value.len().next_multiple_of(4), 0);
        bytes.extend(value);
        bytes
    });
    prop::collection::vec(attribute, 0..12).prop_map(|all| all.concat())
}

fn source() -> impl Strategy<Value = SocketAddr> {
    (any::<[u8; 16]>(), any::<u16>(), any::<bool>()).prop_map(|(address, port, v6)| {
        let [a, b, c, d, ..] = address;
        let address = if v6 { IpAddr::from(address) } else { IpAddr::from([a, b, c, d]) };
        SocketAddr::new(address, port)
    })
}

/// What holds of every answer, whatever was asked.
fn check(request: &[u8], source: SocketAddr) -> Result<(), TestCaseError> {
    let Ok(answer) = answer(request, source) else { return Ok(()) };
    let bytes = answer.bytes();
    prop_assert!(bytes.len() <= LONGEST_ANSWER, "{} bytes", bytes.len());
    prop_assert!(bytes.len() <= request.len() + 24, "{} bytes for {}", bytes.len(), request.len());
    prop_assert!(may_ask(source) && bytes[..2] != request[..2], "no request, and to nobody who did not ask");
    prop_assert_eq!(&bytes[4..20], &request[4..20], "cookie and transaction");
    let read = Message::from_bytes(bytes).expect("a message");
    prop_assert!(read.is_response() && read.has_method(BINDING));
    prop_assert!(!read.has_attribute(stun_types::attribute::Software::TYPE), "it says nothing of itself");
    if answer.outcome == StunOutcome::Answered {
        let seen = read.attribute::<XorMappedAddress>().expect("an address").addr(read.transaction_id());
        prop_assert_eq!((seen.ip(), seen.port()), (source.ip().to_canonical(), source.port()));
    }
    // What was answered is no request to anybody.
    prop_assert!(super::answer(bytes, source).is_err());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_datagram_is_answered_with_much_more_than_it_was(request in prop::collection::vec(any::<u8>(), 0..200), source in source()) {
        check(&request, source)?;
    }

    #[test]
    fn no_binding_request_is(rest in attributes(), source in source(), transaction in any::<[u8; 12]>(), kind in 0_u16..3) {
        let mut request = kind.to_be_bytes().to_vec();
        request.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
        request.extend([0x21, 0x12, 0xa4, 0x42]);
        request.extend(transaction);
        request.extend(rest);
        check(&request, source)?;
    }
}
