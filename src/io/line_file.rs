//! A file that lines are added to, for people to read afterwards: not synchronised, never read back.

use super::file::FileError;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

#[derive(Debug)]
pub struct LineFile(File);

impl LineFile {
    /// Goes on with an existing file, or creates it.
    pub fn append_to(path: &Path) -> Result<Self, FileError> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.map(Self).map_err(|source| FileError::Io { action: "append to", path: path.to_path_buf(), source })
    }

    /// One write per line, so that lines of several processes do not mix.
    pub fn write_line(&mut self, line: &str) -> std::io::Result<()> {
        self.0.write_all(format!("{line}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    #[test]
    fn lines_go_behind_those_that_are_there() {
        let scratch = Scratch::create();
        let path = scratch.path("log");
        for line in ["one", "two"] {
            LineFile::append_to(&path).unwrap().write_line(line).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }
}
