use super::*;
use crate::io::{clock, scratch::Scratch};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    time::Duration,
};

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

async fn next(pty: &mut Pty) -> PtyEvent {
    clock::timeout(Duration::from_secs(10), pty.event(&[])).await.unwrap().unwrap()
}

async fn write_to(pty: &mut Pty, octets: &[u8]) {
    assert_eq!(pty.event(octets).await.unwrap(), PtyEvent::Written(octets.len()));
}

#[tokio::test]
async fn octets_pass_unchanged_and_nothing_is_echoed() {
    let mut pty = Pty::open(&PtyWatch::start().unwrap()).unwrap();
    let mut client = open(pty.path());
    write_to(&mut pty, b"RDY\r\n\x04\x03").await;
    let mut buffer = [0; 7];
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"RDY\r\n\x04\x03");
    client.write_all(b"AT\r\x1a").unwrap();
    assert_eq!(next(&mut pty).await, PtyEvent::Input(b"AT\r\x1a".to_vec()));
    assert!(pty.has_client());
}

#[tokio::test]
async fn a_client_that_goes_leaves_neither_settings_nor_octets() {
    let mut pty = Pty::open(&PtyWatch::start().unwrap()).unwrap();
    let client = open(pty.path());
    release_exclusive(client.as_fd()).unwrap();
    let mut settings = tcgetattr(&client).unwrap();
    write_to(&mut pty, b"unread").await;
    settings.output_flags |= nix::sys::termios::OutputFlags::OPOST;
    tcsetattr(&client, SetArg::TCSANOW, &settings).unwrap();
    drop(client);
    assert_eq!(next(&mut pty).await, PtyEvent::ClientsGone);
    assert!(!pty.has_client());
    let mut client = open(pty.path());
    assert!(!tcgetattr(&client).unwrap().output_flags.contains(nix::sys::termios::OutputFlags::OPOST));
    write_to(&mut pty, b"new").await;
    let mut buffer = [0; 8];
    assert_eq!(client.read(&mut buffer).unwrap(), 3);
    assert_eq!(&buffer[..3], b"new");
}

#[tokio::test]
async fn the_second_of_two_clients_still_counts_when_the_first_goes() {
    let mut pty = Pty::open(&PtyWatch::start().unwrap()).unwrap();
    let (first, mut second) = (open(pty.path()), open(pty.path()));
    drop(first);
    second.write_all(b"x").unwrap();
    assert_eq!(next(&mut pty).await, PtyEvent::Input(b"x".to_vec()));
    assert!(pty.has_client());
}

#[tokio::test]
async fn dropping_the_port_hangs_up_the_client() {
    let pty = Pty::open(&PtyWatch::start().unwrap()).unwrap();
    let mut client = open(pty.path());
    drop(pty);
    let mut buffer = [0; 8];
    assert_eq!(client.read(&mut buffer).unwrap(), 0);
    assert_eq!(client.write(b"x").unwrap_err().raw_os_error(), Some(5));
}

#[test]
fn a_link_is_swapped_and_removed() {
    let scratch = Scratch::create();
    let link = scratch.path("modem");
    for target in ["/dev/pts/0", "/dev/pts/1"] {
        swap_symlink(Path::new(target), &link).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
    }
    remove_symlink(&link).unwrap();
    remove_symlink(&link).unwrap();
    assert!(fs::symlink_metadata(&link).is_err());
}
