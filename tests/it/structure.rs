//! The shape of the sources: which folder may use which, and where an outside crate may be named.

use std::path::{Path, PathBuf};

/// Each folder or file of `src` and what it may use of the crate.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("store", &["domain"]),
    ("auth", &["domain"]),
    ("secrets", &[]),
    ("ops", &["store", "auth", "secrets", "domain"]),
    ("webhook", &[]),
    ("metrics", &[]),
    ("app", &["metrics", "ops", "secrets", "webhook", "store", "auth", "domain"]),
    ("http", &["metrics", "app", "ops", "webhook", "store", "auth", "domain"]),
    ("api", &["metrics", "http", "app", "secrets", "webhook", "ops", "store", "auth", "domain"]),
    ("pages", &["http", "app", "secrets", "ops", "store", "auth", "domain"]),
    ("config", &[]),
    ("logging", &["config"]),
    (
        "server",
        &[
            "secrets", "api", "pages", "http", "app", "webhook", "ops", "store", "auth", "domain",
            "config",
        ],
    ),
    ("moving", &["secrets", "store", "auth", "domain"]),
    ("demo", &["server", "http", "store", "auth", "domain", "config"]),
    (
        "cli",
        &[
            "demo", "moving", "server", "api", "http", "app", "ops", "secrets", "store", "auth",
            "domain", "config", "logging",
        ],
    ),
];

/// Each room of `store` and what it may use of the others. `store/mod.rs` may use all of them.
const ROOMS: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("blobs", &["engine"]),
    ("nouns", &["engine"]),
    ("upkeep", &["engine", "blobs", "nouns"]),
    ("backup", &["engine", "blobs", "nouns", "upkeep"]),
];

/// Crates that only these files or folders may name.
const KEPT_IN: &[(&str, &[&str])] = &[
    ("redb", &["store/engine/backend.rs", "store/engine/backend"]),
    ("bincode", &["store/engine/codec.rs"]),
    ("jsonwebtoken", &["auth/jwt.rs", "auth/jwt/tests.rs"]),
    ("argon2", &["auth/passwords.rs", "auth/passwords/tests.rs"]),
    ("axum", &["http", "api", "pages", "server"]),
    ("askama", &["pages"]),
    ("tokio", &["app", "http", "api", "pages/live.rs", "server", "demo", "cli"]),
    ("hyper", &["http", "server"]),
    ("clap", &["cli", "config"]),
    ("ureq", &["webhook", "demo"]),
    ("prometheus_client", &["metrics"]),
    ("bson", &["moving/mongodb"]),
    ("flate2", &["moving/mongodb"]),
    ("aes", &["moving/mongodb/csfle.rs"]),
    ("cbc", &["moving/mongodb/csfle.rs"]),
    ("rustls", &["server/tls.rs"]),
    ("tokio_rustls", &["server/tls.rs", "server/connection.rs"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its path below `src` and its lines without comments.
fn files() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    let code = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
            (name, code(&std::fs::read_to_string(path).unwrap()))
        })
        .collect()
}

/// The names that follow `prefix` in `code`, those in braces too.
fn used(code: &str, prefix: &str) -> Vec<String> {
    let word = |text: &str| {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(word(&std::mem::take(&mut item))),
                        _ => item.push(c),
                    }
                }
                found.push(word(&item));
            }
        }
    }
    found.retain(|name: &String| !name.is_empty());
    found
}

#[test]
fn arrows_between_folders_point_one_way() {
    let mut wrong = Vec::new();
    for (file, code) in files() {
        let place = file.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if place == "main" || place == "lib" {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == place) else {
            wrong.push(format!("{file}: the table MAY_USE does not know {place}"));
            continue;
        };
        for name in used(&code, "crate::") {
            if name != place && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{file} uses crate::{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn arrows_between_rooms_of_the_store_point_one_way() {
    let mut wrong = Vec::new();
    for (file, code) in files() {
        let Some((place, _)) = file.strip_prefix("store/").and_then(|file| file.split_once('/'))
        else {
            continue;
        };
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == place) else {
            wrong.push(format!("{file}: the table ROOMS does not know {place}"));
            continue;
        };
        for name in used(&code, "crate::store::") {
            if name != place && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{file} uses crate::store::{name}"));
            }
        }
        // Such a path would lead out of the room unseen.
        if code.contains("super::super")
            || (file.ends_with(&format!("{place}/mod.rs")) && code.contains("super::"))
        {
            wrong.push(format!("{file} uses super:: to leave the room"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_outside_crate_stays_in_its_place() {
    let mut wrong = Vec::new();
    for (file, code) in files() {
        for (krate, places) in KEPT_IN {
            let kept =
                places.iter().any(|place| file == *place || file.starts_with(&format!("{place}/")));
            let named = code
                .match_indices(&format!("{krate}::"))
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if named && !kept {
                wrong.push(format!("{file} names {krate}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_clock_reads_the_time() {
    let reads = ["SystemTime::now", "Timestamp::now()", "Utc::now"];
    let wrong: Vec<String> = files()
        .into_iter()
        .filter(|(file, code)| {
            file != "domain/clock.rs" && reads.iter().any(|read| code.contains(read))
        })
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_job_itself_changes_its_state() {
    let sets = [
        "state: JobState",
        ".state = ",
        "ended_by: Some(",
        "started_at: Some(now)",
        "suspect_since: ",
    ];
    let homes = ["domain/", "store/nouns/"];
    let wrong: Vec<String> = files()
        .into_iter()
        .filter(|(file, code)| {
            !homes.iter().any(|home| file.starts_with(home))
                && sets.iter().any(|set| code.contains(set))
        })
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
