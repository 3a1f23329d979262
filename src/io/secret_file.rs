//! Reads secrets: from a file that only its owner (and group) can read, or from the service manager's credentials.

use crate::types::{Secret, SecretSource};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const LIMIT: u64 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} can be read by everybody (mode {mode:04o}); run: chmod o-rwx {}", path.display(), path.display())]
    WorldReadable { path: PathBuf, mode: u32 },
    #[error("{} is empty or larger than 1 MiB", path.display())]
    Size { path: PathBuf },
    #[error("credential {name}: the service manager gave none; add LoadCredential={name}:/path to the unit")]
    NoCredentials { name: String },
}

/// The content of the file or credential.
pub fn read(source: &SecretSource) -> Result<Secret, SecretFileError> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    read_with(source, directory.as_deref())
}

/// As [`read`], without the blanks and line end that editors leave after a password or PIN.
pub fn read_word(source: &SecretSource) -> Result<Secret, SecretFileError> {
    read(source).map(|secret| Secret::new(secret.expose().trim_ascii().to_vec()))
}

fn read_with(source: &SecretSource, credentials: Option<&Path>) -> Result<Secret, SecretFileError> {
    let path = match (source, credentials) {
        (SecretSource::File(path), _) => path.clone(),
        (SecretSource::Credential(name), Some(directory)) => directory.join(name),
        (SecretSource::Credential(name), None) => {
            return Err(SecretFileError::NoCredentials { name: name.clone() });
        }
    };
    let open = || -> io::Result<(u32, u64, File)> {
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        Ok((metadata.permissions().mode() & 0o7777, metadata.len(), file))
    };
    let (mode, size, file) = open().map_err(|source| SecretFileError::Io { path: path.clone(), source })?;
    if mode & 0o007 != 0 {
        return Err(SecretFileError::WorldReadable { path, mode });
    }
    if size == 0 || size > LIMIT {
        return Err(SecretFileError::Size { path });
    }
    // Read in one piece: a growing buffer would leave copies behind in freed memory.
    let mut octets = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    match file.take(size).read_to_end(&mut octets) {
        Ok(_) => Ok(Secret::new(octets)),
        Err(source) => Err(SecretFileError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::fs;

    fn file(scratch: &Scratch, content: &str, mode: u32) -> PathBuf {
        let path = scratch.path("secret");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn refuses_a_file_that_everybody_can_read_and_says_what_to_do() {
        let scratch = Scratch::create();
        let source = SecretSource::File(file(&scratch, "canary", 0o644));
        let error = read_with(&source, None).unwrap_err().to_string();
        assert!(error.contains("mode 0644") && error.contains("chmod") && !error.contains("canary"), "{error}");
        for mode in [0o600, 0o640, 0o400] {
            file(&scratch, "canary", mode);
            assert_eq!(read_with(&source, None).unwrap().expose(), b"canary");
        }
    }

    #[test]
    fn reads_a_credential_from_the_directory_of_the_service_manager() {
        let scratch = Scratch::create();
        let path = file(&scratch, "canary\n", 0o400);
        let source = SecretSource::Credential("secret".to_string());
        assert_eq!(read_with(&source, path.parent()).unwrap().expose(), b"canary\n");
        assert!(read_with(&source, None).unwrap_err().to_string().contains("LoadCredential=secret:"));
    }

    #[test]
    fn a_word_ends_before_its_line_end() {
        let scratch = Scratch::create();
        let source = SecretSource::File(file(&scratch, "1234\r\n", 0o600));
        assert_eq!(read_word(&source).unwrap().expose(), b"1234");
        file(&scratch, "", 0o600);
        assert!(matches!(read(&source), Err(SecretFileError::Size { .. })));
    }
}
