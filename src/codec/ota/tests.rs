use super::*;
use crate::codec::{Reader, Trace};
use crate::types::{Secret, Tar};

fn key(octet: u8, length: usize) -> Secret {
    Secret::new((0..length).map(|index| octet.wrapping_add(index.to_le_bytes()[0])).collect())
}

fn aes() -> KeySet {
    KeySet::of_family(KeyFamily::Aes, 1, &key(0x10, 16), &key(0x60, 16), CcLength::Eight).unwrap()
}

fn command(spi: Spi) -> CommandPacket {
    let counter = Counter::new(0x42).unwrap();
    CommandPacket { spi, tar: Tar::AGENT, counter, data: b"some secured data of the command".to_vec() }
}

fn verify(packet: &[u8], keys: &KeySet) -> Result<CommandPacket, Rejection> {
    let unverified = UnverifiedCommand::decode(packet)?;
    if MinimumSecurity::ISD_R.is_met_by(unverified.header.spi) {
        return unverified.verify(keys);
    }
    Err(Rejection::SecurityLevel)
}

/// xorshift64*: the same mutations in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }

    fn octet(&mut self) -> u8 {
        self.next().to_le_bytes()[5]
    }

    /// One to four changes of octets, lengths or places; the result differs from the original.
    fn mutate(&mut self, original: &[u8]) -> Vec<u8> {
        loop {
            let mut octets = original.to_vec();
            for _ in 0..=self.below(4) {
                let place = self.below(octets.len());
                match self.below(5) {
                    0 => octets[place] ^= 1 << self.below(8),
                    1 => octets[place] = self.octet(),
                    2 => octets.truncate(place.max(1)),
                    3 => octets.insert(place, self.octet()),
                    _ => {
                        let other = self.below(octets.len());
                        octets.swap(place, other);
                    }
                }
            }
            // Half of the shortened and lengthened ones get a CPL that fits, to reach what lies behind that check.
            if let (true, [high, low, rest @ ..]) = (self.below(2) == 0, octets.as_mut_slice()) {
                [*high, *low] = u16::try_from(rest.len()).unwrap().to_be_bytes();
            }
            if octets != original {
                return octets;
            }
        }
    }
}

#[test]
fn no_spi_pair_below_the_minimum_level_is_ever_accepted() {
    let keys = aes();
    let mut accepted = 0;
    for pair in 0..=u16::MAX {
        let spi = Spi::from_octets(pair.to_be_bytes());
        // With the legacy permission every pair that can be built at all is built: the level alone must refuse it.
        let Ok(packet) = command(spi).secure(&keys.clone().permit_legacy()) else {
            continue;
        };
        let sufficient = matches!(spi.spi1, 0x16 | 0x1E);
        assert_eq!(verify(&packet, &keys).is_ok(), sufficient, "SPI {spi}");
        accepted += u32::from(sufficient);
    }
    assert_eq!(accepted, 2 * 48);
}

#[test]
fn no_header_with_an_insufficient_spi_is_accepted_whatever_surrounds_it() {
    let keys = aes().permit_legacy();
    let good = command(Spi::new(0x16, 0x39)).secure(&keys).unwrap();
    for pair in 0..=u16::MAX {
        let mut forged = good.clone();
        forged[3..5].copy_from_slice(&pair.to_be_bytes());
        for chl in [0x0D, 0x0F, 0x11, 0x15] {
            forged[2] = chl;
            assert_eq!(verify(&forged, &keys).is_ok(), forged == good, "SPI {pair:04X}, CHL {chl:02X}");
        }
    }
}

#[test]
fn a_hundred_thousand_mutated_packets_are_refused() {
    let mut random = Random(0x0BAD_5EED_0BAD_5EED);
    let families =
        [aes(), KeySet::of_family(KeyFamily::TripleDes, 3, &key(1, 16), &key(90, 16), CcLength::Eight).unwrap()];
    for keys in families {
        let command = command(Spi::new(0x16, 0x39));
        let packet = command.secure(&keys).unwrap();
        assert_eq!(verify(&packet, &keys), Ok(command));
        for _ in 0..50_000 {
            let mutated = random.mutate(&packet);
            assert!(verify(&mutated, &keys).is_err(), "{}", crate::types::hex::encode(&mutated));
        }
    }
}

#[test]
fn mutated_responses_are_never_authentic() {
    let mut random = Random(0x5EED);
    let (keys, spi) = (aes(), Spi::new(0x16, 0x39));
    let response = ResponsePacket {
        tar: Tar::ISD_R,
        counter: Counter::new(7).unwrap(),
        status: ResponseStatus::POR_OK,
        data: vec![1; 20],
    };
    let packet = response.secure(spi, &keys).unwrap();
    for _ in 0..50_000 {
        let mutated = random.mutate(&packet);
        let read = UnverifiedResponse::decode(&mutated).map_err(Rejection::from);
        if let Ok(received) = read.and_then(|unverified| unverified.verify(spi, &keys)) {
            assert_eq!(received.proof, Proof::Unprotected);
            assert_ne!(received.packet.status, ResponseStatus::POR_OK);
        }
    }
}

#[test]
fn another_key_version_algorithm_or_key_is_refused() {
    let packet = command(Spi::new(0x16, 0x00)).secure(&aes()).unwrap();
    let of = |family, version, kic, kid| KeySet::of_family(family, version, &kic, &kid, CcLength::Eight).unwrap();
    let aes = KeyFamily::Aes;
    assert_eq!(verify(&packet, &of(aes, 2, key(0x10, 16), key(0x60, 16))), Err(Rejection::KeyUnknown));
    let other_family = of(KeyFamily::TripleDes, 1, key(0x10, 16), key(0x60, 16));
    assert_eq!(verify(&packet, &other_family), Err(Rejection::KeyUnknown));
    assert_eq!(verify(&packet, &of(aes, 1, key(0x10, 16), key(0x61, 16))), Err(Rejection::Integrity));
    assert_eq!(verify(&packet, &of(aes, 1, key(0x11, 16), key(0x60, 16))), Err(Rejection::Integrity));
    assert_eq!(verify(&packet, &of(aes, 1, key(0x10, 32), key(0x60, 16))), Err(Rejection::Integrity));
}

#[test]
fn a_checksum_shorter_than_the_key_set_demands_is_refused() {
    let short = KeySet::of_family(KeyFamily::Aes, 1, &key(0x10, 16), &key(0x60, 16), CcLength::Four).unwrap();
    let packet = command(Spi::new(0x16, 0x00)).secure(&short).unwrap();
    assert!(verify(&packet, &short).is_ok());
    assert_eq!(verify(&packet, &aes()), Err(Rejection::Integrity));
}

#[test]
fn keys_that_do_not_fit_and_single_des_are_refused_when_loaded() {
    let des = KeySet::without_keys(Kic(0x11), Kid(0x11));
    assert!(des.clone().with_kic_key(&key(1, 8)).is_err());
    assert!(des.clone().with_kid_key(&key(1, 8), CcLength::Eight).is_err());
    assert!(des.permit_legacy().with_kic_key(&key(1, 8)).is_ok());
    let family = |family, version, length, cc| KeySet::of_family(family, version, &key(1, length), &key(2, length), cc);
    for (kind, length) in [(KeyFamily::Aes, 8), (KeyFamily::TripleDes, 8), (KeyFamily::TripleDes, 32)] {
        assert!(family(kind, 1, length, CcLength::Eight).is_err(), "{kind:?} {length}");
    }
    assert!(family(KeyFamily::TripleDes, 1, 16, CcLength::Four).is_err());
    assert!(family(KeyFamily::Aes, 0, 16, CcLength::Eight).is_err());
    assert!(family(KeyFamily::Aes, 16, 16, CcLength::Eight).is_err());
    for unusable in [0x10, 0x13, 0x1D, 0x1F] {
        assert!(KeySet::without_keys(Kic(unusable), Kid(0)).permit_legacy().with_kic_key(&key(1, 16)).is_err());
    }
}

#[test]
fn nothing_is_secured_with_reserved_bits_signatures_missing_keys_or_too_much_data() {
    let keys = aes();
    for (spi1, spi2) in [(0x36, 0x00), (0x16, 0x40), (0x16, 0x03), (0x17, 0x00), (0x11, 0x00)] {
        assert!(command(Spi::new(spi1, spi2)).secure(&keys).is_err(), "{spi1:02X} {spi2:02X}");
    }
    let bare = KeySet::without_keys(Kic(0x12), Kid(0x12));
    for spi1 in [0x12, 0x14, 0x16] {
        assert!(command(Spi::new(spi1, 0)).secure(&bare).is_err());
    }
    let mut large = command(Spi::new(0x16, 0x00));
    large.data = vec![0; 65_536];
    assert!(large.secure(&keys).is_err());
}

#[test]
fn an_impossible_padding_counter_is_refused_even_under_a_right_checksum() {
    // Without ciphering PCNTR is 0; the CC is made over a packet that says otherwise.
    let keys = aes();
    let mut packet = command(Spi::new(0x12, 0x00)).secure(&keys).unwrap();
    packet[15] = 3;
    let head = packet[..16].to_vec();
    let checksum = keys.checksum().unwrap().checksum(&[&head, &packet[24..]]);
    packet[16..24].copy_from_slice(&checksum);
    assert_eq!(UnverifiedCommand::decode(&packet).unwrap().verify(&keys), Err(Rejection::Ciphering));
}

#[test]
fn the_header_and_the_trace_show_no_secured_octet_before_the_checksum_is_right() {
    let keys = aes();
    let packet = command(Spi::new(0x16, 0x39)).secure(&keys).unwrap();
    let names = |octets: &[u8]| {
        let trace = Trace::new();
        let mut reader = Reader::traced("command packet", octets, &trace);
        let unverified = UnverifiedCommand::read(&mut reader).unwrap();
        let _ = unverified.verify_traced(&keys, &reader);
        trace.into_spans().into_iter().map(|span| (span.depth, span.name.into_owned())).collect::<Vec<_>>()
    };
    let clear = ["CPL", "CHL", "SPI", "KIc", "KID", "TAR", "ciphered part"].map(|name| (0, name.to_string()));
    let deciphered = ["CNTR", "PCNTR", "RC/CC/DS", "secured data", "padding"].map(|name| (1, name.to_string()));
    assert_eq!(names(&packet), [clear.to_vec(), deciphered.to_vec()].concat());
    let mut forged = packet;
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(names(&forged), clear);
}

#[test]
fn an_error_without_protection_is_a_hint_and_a_success_without_it_is_nothing() {
    let (keys, spi) = (aes(), Spi::new(0x16, 0x39));
    let plain = |status| {
        let response = ResponsePacket { tar: Tar::ISD_R, counter: Counter::ZERO, status, data: Vec::new() };
        response.secure(Spi::new(0, 0x01), &keys).unwrap()
    };
    let error = plain(ResponseStatus::TAR_UNKNOWN);
    let received = UnverifiedResponse::decode(&error).unwrap().verify(spi, &keys).unwrap();
    assert_eq!((received.proof, received.packet.status), (Proof::Unprotected, ResponseStatus::TAR_UNKNOWN));
    let success = plain(ResponseStatus::POR_OK);
    assert!(UnverifiedResponse::decode(&success).unwrap().verify(spi, &keys).is_err());
}

#[test]
fn a_key_set_prints_no_key() {
    assert_eq!(format!("{:?}", aes()), "KeySet(Kic(12), Kid(12))");
}
