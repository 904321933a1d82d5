//! `export`, and `import` of what it wrote: the same server.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::lived::Lived;
use crate::binary::cli::Cli;

/// All files of a folder, by path.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let inner = files(&path);
            found.extend(
                inner
                    .into_iter()
                    .map(|(name, bytes)| (Path::new(path.file_name().unwrap()).join(name), bytes)),
            );
        } else {
            found.insert(path.file_name().unwrap().into(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn an_imported_export_answers_everything_as_before() {
    let mut lived = Lived::new();
    let export = lived.export("export", &["--secrets"]);
    let before = lived.answers();
    assert!(before.len() > 200, "{}", before.len());
    let data = lived.server.data_dir();
    lived.server.restart_after(|| {
        Cli(&data).ok(&["import", export.to_str().unwrap(), "--replace"]);
        Cli(&data).ok(&["check"]);
    });
    let after = lived.answers();
    for (path, answer) in &before {
        assert_eq!(after.get(path), Some(answer), "{path}");
    }
    assert_eq!(before.len(), after.len());
}

#[test]
fn an_export_of_an_imported_server_is_the_export_that_it_came_from() {
    let mut lived = Lived::new();
    let first = lived.export("first", &["--secrets"]);
    let data = lived.path("new");
    Cli(&data).ok(&["import", first.to_str().unwrap()]);
    let second = lived.path("second");
    Cli(&data).ok(&["export", second.to_str().unwrap(), "--secrets"]);
    let (mut first, mut second) = (files(&first), files(&second));
    // It says when it was made.
    assert!(first.remove(Path::new("server.json")) != second.remove(Path::new("server.json")));
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (path, bytes) in &first {
        assert!(second[path] == *bytes, "{}", path.display());
    }
    assert!(first.len() > 25, "{:?}", first.keys());
}

#[test]
fn only_its_owner_may_read_an_export_and_secrets_are_in_it_only_on_purpose() {
    let mut lived = Lived::new();
    let export = lived.export("open", &[]);
    let mut all = files(&export);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&export), 0o700);
    assert!(all.keys().all(|path| mode(&export.join(path)) == 0o600));
    for secret in [
        "refresh_tokens.jsonl",
        "secrets.jsonl",
        "notices.jsonl",
        "keys/jwt.key",
        "keys/secrets.key",
    ] {
        assert!(!all.contains_key(Path::new(secret)), "{secret}");
    }
    let mut text = |name: &str| String::from_utf8(all.remove(Path::new(name)).unwrap()).unwrap();
    assert!(text("clients.jsonl").lines().all(|line| line.contains(r#""secret_hash":"""#)));
    assert!(text("job_secrets.jsonl").lines().all(|line| line.contains(r#""sealed":null"#)));
    assert!(text("server.json").contains(r#""secrets":false"#));

    let data = lived.path("new");
    let said = Cli(&data).run(&["import", export.to_str().unwrap(), "--json"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(String::from_utf8_lossy(&said.stderr).contains("set-secret"));
    assert_eq!(serde_json::from_slice::<Value>(&said.stdout).unwrap()["secrets"], false);
    assert_eq!(Cli(&data).clients().len(), 3);
}

#[test]
fn a_dry_run_of_an_export_writes_nothing_and_counts_the_same() {
    let mut lived = Lived::new();
    let (data, to) = (lived.server.data_dir(), lived.path("never"));
    let real = lived.path("real");
    let mut counts = Vec::new();
    lived.server.restart_after(|| {
        for (path, more) in [(&to, vec!["--dry-run"]), (&real, vec![])] {
            let said =
                Cli(&data).ok(&[vec!["export", path.to_str().unwrap(), "--json"], more].concat());
            let said: Value = serde_json::from_str(&said).unwrap();
            counts.push((said["lines"].clone(), said["bytes"].clone()));
        }
    });
    let bytes = |n: usize| counts[n].1.as_u64().unwrap();
    assert_eq!(counts[0].0, counts[1].0);
    // The moment in server.json has up to six digits after the second.
    assert!(bytes(0).abs_diff(bytes(1)) <= 7, "{counts:?}");
    assert!(!to.exists());
    let size: usize = files(&real).values().map(Vec::len).sum();
    assert_eq!(counts[1].1, json!(size));
}

#[test]
fn an_export_goes_nowhere_where_something_is_and_a_running_server_is_left_alone() {
    let mut lived = Lived::new();
    let (data, to) = (lived.server.data_dir(), lived.path("there"));
    let said = Cli(&data).fails(4, &["export", to.to_str().unwrap()]);
    assert!(said.contains("in use") || said.contains("running"), "{said}");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("file"), "mine").unwrap();
    lived.server.restart_after(|| {
        let said = Cli(&data).fails(3, &["export", to.to_str().unwrap()]);
        // It has no flag --replace.
        assert!(said.ends_with("is there already: give a new or an empty directory\n"), "{said}");
    });
    assert_eq!(files(&to).len(), 1);
}

/// A change of a line of a file, and what must be said about it.
type Damage = (&'static str, fn(&str) -> String, &'static str);

#[test]
fn a_wrong_line_is_named_with_its_file_and_its_number_and_nothing_is_changed() {
    let mut lived = Lived::new();
    let export = lived.export("export", &["--secrets"]);
    let damages: [Damage; 9] = [
        (
            "clients.jsonl",
            |text| text[..text.len() - 5].to_owned(),
            "clients.jsonl:3: it is cut off",
        ),
        (
            "clients.jsonl",
            |text| text.split_inclusive('\n').take(2).collect(),
            "clients.jsonl:2: it ends here",
        ),
        (
            "clients.jsonl",
            |text| text.replacen("\"boss\"", "\"dev\"", 1),
            "clients.jsonl:2: another line",
        ),
        (
            "jobs.jsonl",
            |text| text.replacen("\"seq\":", "\"seq\":99999", 1),
            "jobs.jsonl:1: its number",
        ),
        (
            "jobs.jsonl",
            |text| text.replacen("\"state\"", "\"stat\"", 1),
            "jobs.jsonl:1: missing field",
        ),
        (
            "events.jsonl",
            |text| format!("{}{}", text, text.lines().next().unwrap()) + "\n",
            "events.jsonl:",
        ),
        (
            "files.jsonl",
            |text| text.replacen("files/", "files/../../", 1),
            "files.jsonl:1: its file must be",
        ),
        (
            "files.jsonl",
            |text| text.replacen("\"sha256\":\"", "\"sha256\":\"0", 1),
            "files.jsonl:1: not a SHA-256",
        ),
        ("logs.jsonl", |text| text.replacen("\"lines\":", "\"lines\":1", 1), "logs.jsonl:1:"),
    ];
    for (n, (name, change, expected)) in damages.into_iter().enumerate() {
        let path = export.join(name);
        let good = fs::read_to_string(&path).unwrap();
        let bad = change(&good);
        assert_ne!(good, bad, "{name}");
        fs::write(&path, bad).unwrap();
        let data = lived.path(&format!("data{n}"));
        let said = Cli(&data).fails(5, &["import", export.to_str().unwrap()]);
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!data.exists());
        fs::write(&path, good).unwrap();
    }
    let data = lived.path("good");
    Cli(&data).ok(&["import", export.to_str().unwrap(), "--dry-run"]);
    assert!(!data.exists());
    Cli(&data).ok(&["import", export.to_str().unwrap()]);
    let said = Cli(&data).fails(3, &["import", export.to_str().unwrap()]);
    assert!(said.contains("--replace"), "{said}");
}

#[test]
fn a_file_that_does_not_belong_to_an_export_is_refused() {
    let mut lived = Lived::new();
    let export = lived.export("export", &[]);
    let data = lived.path("new");
    let import = |said: &str| {
        let found = Cli(&data).fails(1, &["import", export.to_str().unwrap()]);
        assert!(found.contains(said), "{said}: {found}");
        assert!(!data.exists());
    };
    fs::write(export.join("robots.jsonl"), "{}\n").unwrap();
    import("robots.jsonl: server.json does not name it");
    fs::remove_file(export.join("robots.jsonl")).unwrap();

    let server = fs::read_to_string(export.join("server.json")).unwrap();
    let named = server.replacen("\"lines\":{", "\"lines\":{\"robots\":1,", 1);
    fs::write(export.join("server.json"), named).unwrap();
    import("robots.jsonl: its kind is unknown");
    fs::write(export.join("server.json"), server.replacen("\"format\":1", "\"format\":2", 1))
        .unwrap();
    let said = Cli(&data).fails(6, &["import", export.to_str().unwrap()]);
    assert!(said.contains("format version 2"), "{said}");
    fs::write(export.join("server.json"), server).unwrap();

    let line = fs::read_to_string(export.join("files.jsonl")).unwrap();
    let line: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    let file = export.join(line["file"].as_str().unwrap());
    fs::rename(&file, lived.path("elsewhere")).unwrap();
    symlink(lived.path("elsewhere"), &file).unwrap();
    let said = Cli(&data).fails(5, &["import", export.to_str().unwrap()]);
    assert!(said.contains("files.jsonl:1: a link leads out of the export"), "{said}");
}

#[test]
fn the_example_of_each_kind_in_the_documents_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/EXPORT.md"));
    let (text, export) = (text.unwrap(), dir.path().join("export"));
    let mut lines = BTreeMap::new();
    for part in text.split("\n### `").skip(1) {
        let (name, rest) = part.split_once('`').unwrap();
        let example = rest.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        // They are broken for readers; each begins at the margin.
        let example = example.replace("\n ", " ");
        let path = export.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &example).unwrap();
        if let Some(kind) = name.strip_suffix(".jsonl").filter(|kind| !kind.contains('/')) {
            lines.insert(kind.to_owned(), example.lines().count());
        }
    }
    let server = fs::read_to_string(export.join("server.json")).unwrap();
    let mut server: Value = serde_json::from_str(&server).unwrap();
    assert_eq!(server["lines"].as_object().unwrap().len(), lines.len(), "{lines:?}");
    server["lines"] = json!(lines);
    fs::write(export.join("server.json"), server.to_string()).unwrap();
    let file = export.join("files/7e/01a20000-0000-7000-8000-00000000007e.artifact");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "an artifact\n").unwrap();
    let data = dir.path().join("data");
    Cli(&data).ok(&["import", export.to_str().unwrap()]);
    Cli(&data).ok(&["check"]);
    assert_eq!(Cli(&data).clients().len(), 1);
}

#[test]
fn a_dump_for_the_python_server_is_the_same_server_for_all_that_both_know() {
    let mut lived = Lived::new();
    let (data, to) = (lived.server.data_dir(), lived.path("dump"));
    let mut report = Value::Null;
    lived.server.restart_after(|| {
        let said = Cli(&data).run(&["export", to.to_str().unwrap(), "--mongodb", "--json"]);
        // The secrets cannot go along.
        assert_eq!(said.status.code(), Some(8), "{}", String::from_utf8_lossy(&said.stderr));
        report = serde_json::from_slice::<Value>(&said.stdout).unwrap()["report"].clone();
    });
    let line = |words: &[&str]| super::assert_line(&report, words);
    line(&["client_permissions", "dev", "changed", "give it a new one"]);
    line(&["secrets", "dev/wifi/password", "left_out", "anew"]);
    line(&["agents", "rack3", "changed", "set aside"]);
    line(&["jobs", "changed", "earlier tries"]);
    assert_eq!(report["collections"]["jobs"]["taken"], 9);
    // The other server puts all of a client into its tokens and fails when there is a moment in it.
    let clients = fs::read(to.join("testflinger_db/client_permissions.bson")).unwrap();
    assert!(!clients.windows(10).any(|name| name == b"created_at"));
    let before = lived.answers();
    lived.server.restart_after(|| {
        fs::rename(&data, lived.dir.path().join("old")).unwrap();
        let said = Cli(&data).run(&["import", "mongodb", to.to_str().unwrap(), "--json"]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        Cli(&data).set_secret("boss");
    });
    let after = lived.answers();
    let retried = &lived.retried;
    // What only this server knows: histories, tries, why agents are set aside, results of no job.
    let is_ours = |path: &str| {
        let begins = ["/v1/events", "/jobs", "/agents", "/queues", "claim"];
        let ends = ["/status", "/history", "?try=1", "/output", "/serial_output"];
        let is_log = path.contains("/log/");
        let ends = !is_log && ends.iter().any(|end| path.ends_with(end));
        ends || path == "/"
            || path.contains(crate::support::ZERO)
            || path == format!("/v1/result/{retried}")
            || begins.iter().any(|begin| path.starts_with(begin))
    };
    let shown = |(status, body): &(u16, String)| {
        let mut value = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
        let list = if let Value::Array(items) = &mut value {
            items
        } else {
            std::slice::from_mut(&mut value)
        };
        for agent in list.iter_mut().filter_map(Value::as_object_mut) {
            agent.remove("aside");
        }
        // That server has a list of excluded agents in every job.
        if let Some(body) = value.as_object_mut().filter(|body| body.contains_key("job_queue")) {
            body.entry("exclude_agents").or_insert_with(|| json!([]));
        }
        (*status, value)
    };
    let mut compared = 0;
    for (path, was) in before.iter().filter(|(path, _)| !is_ours(path)) {
        assert_eq!(shown(&after[path]), shown(was), "{path}");
        compared += 1;
    }
    assert!(compared > 80, "{compared}");
}
