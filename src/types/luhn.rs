//! The check digit of ICCID and IMEI (ISO/IEC 7812-1 Annex B).

/// Whether the last digit is the check digit of those before it. Other characters than digits are never valid.
pub fn is_valid(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && sum(digits, 1).is_multiple_of(10)
}

/// The digit that makes `digits` valid when it is put behind them.
pub fn check_digit(digits: &str) -> char {
    let digit = (10 - sum(digits, 0) % 10) % 10;
    char::from_digit(digit, 10).unwrap_or('0')
}

/// Digits from the right, every second one doubled, beginning with the one at index `first_doubled`.
fn sum(digits: &str, first_doubled: usize) -> u32 {
    let digit = |(index, character): (usize, char)| {
        let digit = character.to_digit(10).unwrap_or(0);
        if index % 2 == first_doubled { digit * 2 / 10 + digit * 2 % 10 } else { digit }
    };
    digits.chars().rev().enumerate().map(digit).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_what_it_accepts() {
        assert!(is_valid("79927398713") && !is_valid("79927398710") && !is_valid(""));
        assert_eq!(check_digit("7992739871"), '3');
        assert_eq!(check_digit("894900000000000001"), '8');
    }
}
