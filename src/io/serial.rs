//! Serial ports of modems: USB ttys and ptys alike.
//!
//! A port that vanishes does not fail to be read: it reads 0 octets for ever and fails to be written with EIO. Whoever
//! owns the stream takes 0 octets as the loss of the port and drops it before waiting for the next one, because an open
//! descriptor keeps the device number busy.

use std::path::{Path, PathBuf};
use std::{fs, io};
use tokio_serial::{ClearBuffer, ErrorKind, SerialPort, SerialPortBuilderExt, SerialStream};

/// Where and how to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialParameters {
    /// A device or a link to one; resolved anew at each opening.
    pub device: PathBuf,
    /// Ignored by USB ports.
    pub baud: u32,
}

/// Why a port cannot be opened, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0} does not exist: is the modem plugged in, and has it a tty?")]
    Absent(PathBuf),
    #[error(
        "{0} is held by another program; ModemManager probes a modem for up to 40 s after it was plugged in, and keeps it \
         unless a udev rule sets ID_MM_DEVICE_IGNORE"
    )]
    Busy(PathBuf),
    #[error("{0} may not be opened by this user: it should be a member of the group that owns the device (dialout)")]
    Forbidden(PathBuf),
    #[error("{0} is no serial port")]
    NotATty(PathBuf),
    #[error("{device} cannot be opened: {reason}")]
    Other { device: PathBuf, reason: String },
}

/// Opens the port raw, 8N1, for us alone, and drops what had been received before.
pub fn open(parameters: &SerialParameters) -> Result<SerialStream, OpenError> {
    let device = &parameters.device;
    let Some(path) = device.to_str() else {
        return Err(OpenError::Other { device: device.clone(), reason: "its path is not UTF-8".into() });
    };
    keep_lines_at_close(device).map_err(|error| refusal_of_open(device, &error))?;
    let builder = tokio_serial::new(path, parameters.baud);
    let mut port = builder.open_native_async().map_err(|error| refusal(device, &error))?;
    // Ptys and some USB drivers have no modem lines.
    let _ = port.write_data_terminal_ready(true);
    port.clear(ClearBuffer::Input).map_err(|error| refusal(device, &error))?;
    Ok(port)
}

/// Clears HUPCL, so that closing the port (a restart) does not drop DTR, which many modems take for "hang up".
fn keep_lines_at_close(device: &Path) -> io::Result<()> {
    use nix::sys::termios::{ControlFlags, SetArg, tcgetattr, tcsetattr};
    let tty = open_quietly(device)?;
    if let Ok(mut settings) = tcgetattr(&tty)
        && settings.control_flags.contains(ControlFlags::HUPCL)
    {
        settings.control_flags.remove(ControlFlags::HUPCL);
        // Best effort: what is not a tty is told by the opening that follows.
        let _ = tcsetattr(&tty, SetArg::TCSANOW, &settings);
    }
    Ok(())
}

/// Without waiting for a carrier, and without making it our controlling terminal.
fn open_quietly(device: &Path) -> io::Result<fs::File> {
    use nix::fcntl::OFlag;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = (OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits();
    fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(device)
}

fn refusal_of_open(device: &Path, error: &io::Error) -> OpenError {
    let device = device.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => OpenError::Absent(device),
        io::ErrorKind::ResourceBusy => OpenError::Busy(device),
        io::ErrorKind::PermissionDenied => OpenError::Forbidden(device),
        _ => OpenError::Other { device, reason: error.to_string() },
    }
}

fn refusal(device: &Path, error: &tokio_serial::Error) -> OpenError {
    let device = device.to_owned();
    match error.kind {
        // EBUSY, and a lock that somebody else holds.
        ErrorKind::NoDevice => OpenError::Busy(device),
        ErrorKind::Io(io::ErrorKind::NotFound) => OpenError::Absent(device),
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => OpenError::Forbidden(device),
        _ if error.description.contains("typewriter") || error.description.contains("ioctl") => {
            OpenError::NotATty(device)
        }
        _ => OpenError::Other { device, reason: error.description.clone() },
    }
}

/// A pty for tests: its master, what keeps it alive while nobody has it open, and its path.
#[cfg(test)]
pub(crate) fn pty() -> (SerialStream, fs::File, String) {
    let (master, slave) = SerialStream::pair().expect("a pty");
    let path = slave.name().expect("a pty has a path");
    // The library's own end would hold a lock.
    let keeper = open_quietly(path.as_ref()).expect("the pty opens");
    (master, keeper, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::clock;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn parameters(device: impl Into<PathBuf>) -> SerialParameters {
        SerialParameters { device: device.into(), baud: 115_200 }
    }

    #[tokio::test]
    async fn a_pty_opens_without_modem_lines_and_without_old_input() {
        let (mut master, _slave, path) = pty();
        master.write_all(b"stale").await.unwrap();
        let mut port = open(&parameters(path)).unwrap();
        master.write_all(b"new").await.unwrap();
        let mut buffer = [0; 16];
        let length = clock::timeout(Duration::from_secs(5), port.read(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..length], b"new");
    }

    #[tokio::test]
    async fn a_vanished_port_reads_nothing_for_ever() {
        let (master, slave, path) = pty();
        let mut port = open(&parameters(path)).unwrap();
        drop((master, slave));
        for _ in 0..2 {
            let read = clock::timeout(Duration::from_secs(5), port.read(&mut [0; 16])).await.unwrap();
            assert_eq!(read.unwrap(), 0);
        }
        assert!(port.write_all(b"AT\r").await.is_err());
    }

    #[tokio::test]
    async fn refusals_are_named() {
        let absent = open(&parameters("/nonexistent/modem")).unwrap_err();
        assert!(matches!(absent, OpenError::Absent(_)), "{absent}");
        let null = open(&parameters("/dev/null")).unwrap_err();
        assert!(matches!(null, OpenError::NotATty(_)), "{null:?}");
        let (_master, _slave, path) = pty();
        let _held = open(&parameters(&path)).unwrap();
        let busy = open(&parameters(&path)).unwrap_err();
        assert!(busy.to_string().contains("ModemManager"), "{busy:?}");
    }
}
