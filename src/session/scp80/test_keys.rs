//! Keys that stand in specifications, test profiles and test suites: worth as much as no key.

use crate::types::Secret;

/// Sequences whose every rotation is in use as a key somewhere, such as those of the generic test profile (TS.48).
const ROTATED: &[[u8; 16]] = &[
    [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0x10],
    [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF],
    [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF],
    [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10],
];

/// Examples of FIPS 197, RFC 4493 and SP 800-38.
const EXAMPLES: &[&[u8]] = &[
    &[0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C],
    &[
        0x8E, 0x73, 0xB0, 0xF7, 0xDA, 0x0E, 0x64, 0x52, 0xC8, 0x10, 0xF3, 0x2B, 0x80, 0x90, 0x79, 0xE5, 0x62, 0xF8,
        0xEA, 0xD2, 0x52, 0x2C, 0x6B, 0x7B,
    ],
    &[
        0x60, 0x3D, 0xEB, 0x10, 0x15, 0xCA, 0x71, 0xBE, 0x2B, 0x73, 0xAE, 0xF0, 0x85, 0x7D, 0x77, 0x81, 0x1F, 0x35,
        0x2C, 0x07, 0x3B, 0x61, 0x08, 0xD7, 0x2D, 0x98, 0x10, 0xA3, 0x09, 0x14, 0xDF, 0xF4,
    ],
];

/// Whether everybody knows this key: equal octets, octets that count up or down, and the published ones.
pub fn is_known(key: &Secret) -> bool {
    let octets = key.expose();
    counts(octets) || EXAMPLES.contains(&octets) || ROTATED.iter().any(|sequence| is_rotation(octets, sequence))
}

/// Equal steps, at most one octet out of line: `000102..`, `404142..`, but also `20010203..`, as test suites have it.
fn counts(octets: &[u8]) -> bool {
    let steps: Vec<u8> =
        octets.windows(2).map(|pair| pair.iter().rev().copied().reduce(u8::wrapping_sub).unwrap_or(0)).collect();
    let Some(usual) = steps.get(steps.len() / 2).copied() else { return true };
    steps.iter().filter(|step| **step != usual).count() <= 1
}

fn is_rotation(octets: &[u8], sequence: &[u8; 16]) -> bool {
    (0..sequence.len()).any(|start| {
        let rotated = sequence.iter().cycle().skip(start).take(octets.len());
        rotated.eq(octets)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex;

    fn known(key: &str) -> bool {
        is_known(&Secret::new(hex::decode(key).unwrap()))
    }

    #[test]
    fn published_keys_are_known_and_random_ones_are_not() {
        for key in [
            "00000000000000000000000000000000",
            "ffffffffffffffffffffffffffffffff",
            "000102030405060708090a0b0c0d0e0f",
            "0f0e0d0c0b0a09080706050403020100",
            "404142434445464748494a4b4c4d4e4f",
            "200102030405060708090a0b0c0d0e0f",
            "00112233445566778899aabbccddeeff",
            "ffeeddccbbaa99887766554433221100",
            "112233445566778899aabbccddeeff10",
            "99aabbccddeeff101122334455667788",
            "66778899aabbccddeeff101122334455",
            "0123456789abcdeffedcba9876543210",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
            "2b7e151628aed2a6abf7158809cf4f3c",
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        ] {
            assert!(known(key), "{key}");
        }
        for key in ["f3dfea98a2a0356902d210ab3c2d53de", "396ad24297cb921419c8e02ee2eb4a57"] {
            assert!(!known(key), "{key}");
        }
    }
}
