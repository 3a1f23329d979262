//! Throughput of the codecs that stand in the way of every message.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use euicc_push::codec::ota::{
    CcLength, CommandPacket, Counter, KeyFamily, KeySet, Spi, UnverifiedCommand, command::packet_length,
};
use euicc_push::codec::trigger::Trigger;
use euicc_push::types::{AccessControl, Operation, Secret, Tar, TransactionId};
use std::hint::black_box;

/// A host trigger as most are: operation, back-off, transaction and an identifier of 16 characters.
fn usual_trigger() -> Trigger {
    Trigger {
        operation: Some(Operation::Enable),
        access_control: Some(AccessControl::Backoff(1800)),
        sm_sr_id: Some("smsr.example.net".into()),
        ..Trigger::new(TransactionId([0x11; 8]))
    }
}

fn keys(family: KeyFamily) -> KeySet {
    let key = |start: u8| Secret::new((start..start + 16).collect());
    KeySet::of_family(family, 1, &key(0x10), &key(0x80), CcLength::Eight).expect("keys fit")
}

fn packets(criterion: &mut Criterion) {
    let data = usual_trigger().encode().expect("encodes");
    assert_eq!(packet_length(Some(16), 8, data.len()), 74);
    let mut group = criterion.benchmark_group("command packet, CC 8, ciphered");
    group.throughput(Throughput::Elements(1));
    for (name, family) in [("AES-128, 74 octets", KeyFamily::Aes), ("3DES, 66 octets", KeyFamily::TripleDes)] {
        let keys = keys(family);
        let counter = Counter::new(0x42).expect("fits");
        let command = CommandPacket { spi: Spi::new(0x16, 0x00), tar: Tar::AGENT, counter, data: data.clone() };
        let packet = command.secure(&keys).expect("secures");
        let verify =
            |packet: &[u8]| UnverifiedCommand::decode(packet).expect("decodes").verify(&keys).expect("verifies");
        group.bench_function(format!("{name}: secure"), |bencher| {
            bencher.iter(|| black_box(&command).secure(&keys).expect("secures"));
        });
        group.bench_function(format!("{name}: verify"), |bencher| bencher.iter(|| verify(black_box(&packet))));
        group.bench_function(format!("{name}: secure and verify"), |bencher| {
            bencher.iter(|| verify(&black_box(&command).secure(&keys).expect("secures")));
        });
    }
    group.finish();
}

fn triggers(criterion: &mut Criterion) {
    let trigger = usual_trigger();
    let octets = trigger.encode().expect("encodes");
    let mut group = criterion.benchmark_group("trigger object");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |bencher| bencher.iter(|| black_box(&trigger).encode().expect("encodes")));
    group.bench_function("decode", |bencher| bencher.iter(|| Trigger::decode(black_box(&octets)).expect("decodes")));
    group.finish();
}

criterion_group!(benches, packets, triggers);
criterion_main!(benches);
