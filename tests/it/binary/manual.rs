//! What the program says about itself to shells and to `man`.

use crate::support::run;

#[track_caller]
fn printed(args: &[&str]) -> String {
    let output = run(args, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_shell_gets_completions_of_commands_and_flags() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        for word in ["client-admin", "set-secret", "keep-jobs"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
    assert_eq!(run(&["completions", "cmd"], &[]).status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    assert!(printed(&["man"]).contains("testflinger\\-server"));
    let dir = tempfile::tempdir().unwrap();
    printed(&["man", "--into", dir.path().to_str().unwrap()]);
    for (page, words) in [
        ("testflinger-server.1", "client\\-admin"),
        ("testflinger-server-serve.1", "keep\\-jobs"),
        ("testflinger-server-client-admin-create.1", "generate"),
        ("testflinger-server-restore.1", "replace"),
    ] {
        let text = std::fs::read_to_string(dir.path().join(page)).unwrap();
        assert!(text.starts_with(".ie") && text.contains(words), "{page}: {text}");
    }
    let nowhere = run(&["man", "--into", "/nowhere/at/all"], &[]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/nowhere/at/all"));
}
