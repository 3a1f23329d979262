//! What a process has used, from `/proc` (proc(5)).

/// Peak resident memory and processor time of one process; zero where `/proc` does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    pub peak_rss_bytes: u64,
    pub cpu_seconds: f64,
}

/// Of a running process.
pub fn of(pid: u32) -> Usage {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    Usage {
        peak_rss_bytes: peak_rss(&read("status")).unwrap_or(0),
        cpu_seconds: ticks(&read("stat")).map_or(0.0, |ticks| ticks / TICKS_PER_SECOND),
    }
}

/// USER_HZ, which Linux fixes at 100 towards user space.
const TICKS_PER_SECOND: f64 = 100.0;

fn peak_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

/// utime and stime: fields 14 and 15, counted behind the program's name, which may contain blanks.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11).map_while(|field| field.parse::<f64>().ok());
    Some(fields.next()? + fields.next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_peak_memory_and_processor_time() {
        assert_eq!(peak_rss("Name:\teuicc\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"), Some(1234 << 10));
        let stat = "77 (a) b) S 1 77 77 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 4 0 100 0 0";
        assert_eq!(ticks(stat), Some(175.0));
        assert!(of(std::process::id()).peak_rss_bytes > 0);
    }
}
