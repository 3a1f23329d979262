//! The GSM 7-bit default alphabet with its extension table (TS 23.038 6.2.1), and septets packed into octets (6.1.2.1).

const ESCAPE: u8 = 0x1B;

#[rustfmt::skip]
const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1B}', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Text as septets, one per octet. `None` when a character is in neither table.
pub fn septets(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for character in text.chars() {
        let position = DEFAULT.iter().position(|known| *known == character && character != '\u{1B}');
        if let Some(septet) = position.and_then(|position| u8::try_from(position).ok()) {
            septets.push(septet);
        } else {
            let (septet, _) = EXTENSION.iter().find(|(_, known)| *known == character)?;
            septets.extend([ESCAPE, *septet]);
        }
    }
    Some(septets)
}

/// Septets as text. An unknown escape shows the character of the default table, as TS 23.038 6.2.1.1 asks.
pub fn text(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut rest = septets.iter().copied();
    while let Some(septet) = rest.next() {
        let default = |septet: u8| DEFAULT.get(usize::from(septet & 0x7F)).copied().unwrap_or(' ');
        if septet != ESCAPE {
            text.push(default(septet));
        } else if let Some(second) = rest.next() {
            let extended = EXTENSION.iter().find(|(known, _)| *known == second);
            text.push(extended.map_or_else(|| default(second), |(_, character)| *character));
        }
    }
    text
}

/// Packs septets, least significant bit first.
pub fn pack(septets: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(septets.len().saturating_mul(7).div_ceil(8));
    let (mut bits, mut held) = (0_u16, 0_u32);
    for septet in septets {
        bits |= u16::from(septet & 0x7F) << held;
        held += 7;
        if held >= 8 {
            octets.push((bits & 0xFF) as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        octets.push((bits & 0xFF) as u8);
    }
    octets
}

/// At most `count` septets from packed octets.
pub fn unpack(octets: &[u8], count: usize) -> Vec<u8> {
    let mut septets = Vec::with_capacity(count.min(octets.len().saturating_mul(8) / 7));
    let (mut bits, mut held) = (0_u16, 0_u32);
    for octet in octets {
        bits |= u16::from(*octet) << held;
        held += 8;
        while held >= 7 && septets.len() < count {
            septets.push((bits & 0x7F) as u8);
            bits >>= 7;
            held -= 7;
        }
        if septets.len() >= count {
            break;
        }
    }
    septets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn extension_characters_take_two_septets() {
        assert_eq!(septets("a€").unwrap(), [0x61, 0x1B, 0x65]);
        assert_eq!(text(&[0x61, 0x1B, 0x65]), "a€");
        assert_eq!(septets("漢"), None);
    }

    #[test]
    fn packs_as_the_well_known_example() {
        assert_eq!(pack(&septets("hellohello").unwrap()), [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
    }

    proptest! {
        #[test]
        fn packing_survives_the_round_trip(septets in proptest::collection::vec(0_u8..128, 0..170)) {
            prop_assert_eq!(unpack(&pack(&septets), septets.len()), septets);
        }
    }
}
