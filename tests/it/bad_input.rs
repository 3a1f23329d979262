//! Every decoder is fed every truncation and every single-bit flip of every vector, glued pairs, and random octets:
//! an error or a value, never a panic, and no allocation above a small multiple of the input.

use crate::allocation::peak_during;
use euicc_push::cli::decode::keys::Keys;
use euicc_push::cli::decode::kinds::KINDS;
use euicc_push::codec::Reader;
use euicc_push::codec::gp::http::{HttpError, Limits, Parser, RequestLine, StartLine, StatusLine};
use euicc_push::codec::ota::{CcLength, KeyFamily, KeySet, Spi, UnverifiedCommand, UnverifiedResponse};
use euicc_push::types::{Secret, hex};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A decoder with a name for the failure message.
struct Decoder {
    name: &'static str,
    run: fn(&[u8]),
}

/// Decoders beyond the kinds of `euicc decode`: framers, fed whole and byte by byte, and keyed ones.
const FRAMERS: &[Decoder] = &[
    Decoder { name: "command packet under keys", run: command_packet_under_keys },
    Decoder { name: "HTTP request", run: http::<RequestLine> },
    Decoder { name: "HTTP response", run: http::<StatusLine> },
    Decoder { name: "response packet under keys", run: response_packet_under_keys },
];

/// Keys whose version and algorithm many of the vectors name, so that deciphering is reached.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let key = Secret::new((0..16).collect());
    KeySet::of_family(KeyFamily::Aes, 1, &key, &key, CcLength::Eight).expect("keys fit")
});

fn command_packet_under_keys(octets: &[u8]) {
    if let Ok(packet) = UnverifiedCommand::decode(octets) {
        let _ = packet.verify(&KEYS);
    }
}

/// Whole and octet by octet: the same messages and the same error.
fn http<S: StartLine>(octets: &[u8]) {
    let parse = |size: usize| {
        let mut parser = Parser::<S>::new(Limits::default());
        let mut messages = Vec::new();
        for mut piece in octets.chunks(size) {
            while !piece.is_empty() {
                let fed = parser.feed(piece).map_err(|error| (messages.len(), error))?;
                messages.extend(fed.message);
                piece = &piece[fed.used..];
            }
        }
        let last = parser.end_of_input().map_err(|error| (messages.len(), error))?;
        Ok((messages, last))
    };
    let whole: Result<_, (usize, HttpError)> = parse(octets.len().max(1));
    assert_eq!(parse(1), whole);
}

/// Both protections that are easy to meet: none, and ciphering without a checksum.
fn response_packet_under_keys(octets: &[u8]) {
    if let Ok(packet) = UnverifiedResponse::decode(octets) {
        for spi2 in [0x01, 0x11, 0x39] {
            let _ = packet.verify(Spi::new(0x16, spi2), &KEYS);
        }
    }
}

/// Allocation allowed for an input: values, error texts and lists of small parts.
const fn allowance(input: usize) -> usize {
    4096 + 96 * input
}

/// All hexadecimal texts of all vector files, as octets.
fn corpus() -> Vec<Vec<u8>> {
    fn collect(value: &serde_json::Value, octets: &mut BTreeSet<Vec<u8>>) {
        match value {
            serde_json::Value::String(text) if text.len() >= 4 => {
                octets.extend(hex::decode(text).ok());
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, octets)),
            serde_json::Value::Object(members) => members.values().for_each(|item| collect(item, octets)),
            _ => {}
        }
    }
    let mut octets = BTreeSet::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    for entry in std::fs::read_dir(folder).expect("tests/vectors is readable") {
        let path = entry.expect("directory entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).expect("vector file is readable");
            collect(&serde_json::from_str(&text).expect("vector file is JSON"), &mut octets);
        }
    }
    octets.into_iter().collect()
}

fn feed(input: &[u8]) {
    let keys = Keys::default();
    for kind in KINDS {
        guarded(kind.name, input, || {
            let mut reader = Reader::new(kind.name, input);
            let _ = (kind.read)(&mut reader, &keys).and_then(|()| reader.finish());
        });
    }
    for framer in FRAMERS {
        guarded(framer.name, input, || (framer.run)(input));
    }
}

fn guarded(name: &str, input: &[u8], work: impl FnOnce()) {
    let peak = peak_during(|| {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        assert!(result.is_ok(), "{name} panics on {}", hex::encode(input));
    });
    assert!(peak <= allowance(input.len()), "{name} allocates {peak} octets for {}", hex::encode(input));
}

/// xorshift64*: the same inputs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("below a usize")
    }
}

#[test]
fn every_truncation_of_every_vector_is_survived_by_every_decoder() {
    for octets in corpus() {
        for length in 0..=octets.len() {
            feed(&octets[..length]);
        }
    }
}

#[test]
fn every_single_bit_flip_of_every_vector_is_survived_by_every_decoder() {
    for octets in corpus() {
        let mut flipped = octets.clone();
        for bit in 0..octets.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            feed(&flipped);
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn glued_pairs_are_survived_by_every_decoder() {
    let corpus = corpus();
    for pair in corpus.windows(2) {
        feed(&[pair[0].as_slice(), pair[1].as_slice()].concat());
        feed(&[pair[1].as_slice(), pair[0].as_slice()].concat());
    }
}

#[test]
fn a_million_random_inputs_are_survived() {
    let corpus = corpus();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let keys = Keys::default();
    let decoders = KINDS.len() + FRAMERS.len();
    for _ in 0..1_000_000 {
        let mut input = if random.below(2) == 0 { corpus[random.below(corpus.len())].clone() } else { Vec::new() };
        let extra = random.below(40);
        let place = random.below(input.len() + 1);
        input.splice(place..place, (0..extra).map(|_| random.next().to_le_bytes()[3]).collect::<Vec<_>>());
        let choice = random.below(decoders);
        match KINDS.get(choice) {
            Some(kind) => guarded(kind.name, &input, || {
                let mut reader = Reader::new(kind.name, &input);
                let _ = (kind.read)(&mut reader, &keys).and_then(|()| reader.finish());
            }),
            None => {
                let framer = &FRAMERS[choice - KINDS.len()];
                guarded(framer.name, &input, || (framer.run)(&input));
            }
        }
    }
}
