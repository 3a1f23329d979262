//! Throughput of the AT line framer, and of framing with classification.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use euicc_push::codec::at::{FinalResult, Frame, Framer, urc};
use std::hint::black_box;

/// About 1 MiB as a busy modem would send it.
fn dialogue() -> Vec<u8> {
    let block: &[u8] = b"\r\n+CSQ: 21,99\r\n\r\nOK\r\n\r\n^RSSI:18\r\n\r\n> \r\n+CMGS: 17\r\n\r\nOK\r\n\
        \r\n+CMGL: 3,1,,64\r\n07911326040000F0440B911316325476F87FF6421080214300402902700000001516211515B000118B2B40B2C7F1D0\
        A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F\r\n\r\nOK\r\n\
        \r\n+CREG: 1,\"1A2B\",\"01C3D4E5\",7\r\n";
    block.repeat((1 << 20) / block.len())
}

fn benches(criterion: &mut Criterion) {
    let input = dialogue();
    let mut group = criterion.benchmark_group("at");
    group.throughput(Throughput::Bytes(input.len() as u64));
    for chunk in [16, 256, 4096] {
        group.bench_function(format!("frame/chunks-of-{chunk}"), |bencher| {
            bencher.iter(|| {
                let mut framer = Framer::default();
                let mut octets = 0;
                for part in input.chunks(chunk) {
                    framer.feed(part, |frame| {
                        if let Frame::Line(line) = frame {
                            octets += line.len();
                        }
                    });
                }
                black_box(octets)
            });
        });
    }
    group.bench_function("frame-and-classify", |bencher| {
        bencher.iter(|| {
            let mut framer = Framer::default();
            let mut found = 0;
            for part in input.chunks(4096) {
                framer.feed(part, |frame| {
                    if let Frame::Line(line) = frame {
                        found += usize::from(FinalResult::parse(line).is_some() || urc::never_answers(line));
                    }
                });
            }
            black_box(found)
        });
    });
    group.finish();
}

criterion_group!(at, benches);
criterion_main!(at);
