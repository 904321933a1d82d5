//! `backup --without-secrets`

use super::{Filled, entries, text};
use crate::binary::cli::Cli;
use crate::support::Program;
use crate::support::auth::SECRET;

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_backup_for_support_holds_no_key_no_token_and_no_hash() {
    let filled = Filled::new();
    let key = std::fs::read(filled.data().join("keys/jwt.key")).unwrap();
    let full = std::fs::read(filled.backup()).unwrap();
    assert!(holds(&full, &key) && holds(&full, b"$argon2id$"));
    let backup = filled.path("support.tar");
    Cli(&filled.data()).ok(&["backup", text(&backup), "--without-secrets"]);
    let bytes = std::fs::read(&backup).unwrap();
    assert!(!holds(&bytes, &key) && !holds(&bytes, b"$argon2id$"));
    for (name, bytes) in entries(&backup) {
        assert!(!name.starts_with("keys/"), "{name}");
        assert!(!name.starts_with("rows/refresh") || bytes.is_empty(), "{name}");
    }
    assert!(Cli(&filled.data()).ok(&["verify", text(&backup)]).contains("without secrets"));
    Cli(&filled.data()).ok(&["verify", "--drill", text(&backup)]);
}

#[test]
fn it_can_be_restored_and_clients_get_new_secrets() {
    let filled = Filled::new();
    let backup = filled.path("support.tar");
    Cli(&filled.data()).ok(&["backup", text(&backup), "--without-secrets"]);
    let data = filled.path("new");
    assert!(Cli(&data).ok(&["restore", text(&backup)]).contains("set-secret"));
    filled.serves_all(&data);
    let program = Program::serve(&data);
    assert_eq!(program.log_in("keeper", SECRET).status, 401);
    assert_eq!(Cli(&data).clients()[0]["role"], "manager");
    let secret = Cli(&data).ok(&["client-admin", "set-secret", "keeper", "--generate"]);
    assert_eq!(program.log_in("keeper", secret.trim()).status, 200);
}
