//! How identities look in logs: the first five characters (six of long ones) and the last two.

/// Short values show less: at least as many characters stay hidden as are shown, at least four.
pub fn masked(clear: &str) -> String {
    let count = clear.chars().count();
    let (head, tail) = match count {
        20.. => (6, 2),
        14..20 => (5, 2),
        10..14 => (3, 2),
        7..10 => (1, 2),
        _ => (0, 0),
    };
    let start: String = clear.chars().take(head).collect();
    let end: String = clear.chars().skip(count.saturating_sub(tail)).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_hidden_as_is_shown() {
        assert_eq!(masked("262011234567890"), "26201…90");
        assert_eq!(masked("4915112345678"), "491…78");
        assert_eq!(masked("22330"), "…");
        for length in 0..40 {
            let shown = masked(&"7".repeat(length)).chars().count() - 1;
            assert!(shown <= length.saturating_sub(4) && 2 * shown <= length, "{length}");
        }
    }
}
