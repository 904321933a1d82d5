//! The configuration file: it is read, or refused with a sentence.

use std::sync::LazyLock;

use super::directory;
use tempfile::TempDir;
use testflinger_server::config::{Env, Raw, Settings};

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(directory);

pub(super) fn run(text: &[u8]) {
    let path = DIRECTORY.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let env = Env::from([("HOME".to_owned(), "/nowhere".to_owned())]);
    if let Err(error) = Settings::load(Raw::default(), Some(&path), &env) {
        assert!(!error.to_string().is_empty());
    }
}
