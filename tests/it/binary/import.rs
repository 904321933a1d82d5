//! Clients of an existing server are imported.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;
use testflinger_server::config::{Env, Raw, Settings};
use testflinger_server::domain::{ClientId, SystemClock};
use testflinger_server::server::open_store;
use testflinger_server::store::ClientReads;

use super::cli::{Cli, text};
use crate::support::auth::{SECRET, basic, claims};
use crate::support::{Program, until};

const IMPORT: [&str; 2] = ["client-admin", "import"];

/// Records as mongoexport writes them, in both of its forms of numbers.
fn records() -> String {
    // The lowest cost, so that the tests are quick.
    let hash = bcrypt::hash(SECRET, 4).unwrap();
    let records = [
        json!({
            "_id": { "$oid": "6650aa" },
            "client_id": "ci",
            "client_secret_hash": hash,
            "role": "manager",
            "max_priority": { "q": { "$numberInt": "5" }, "*": 1 },
            "max_reservation_time": { "*": { "$numberLong": "40000" } },
            "allowed_queues": ["rack/7"],
        }),
        json!({ "client_id": "plain", "client_secret_hash": hash, "max_priority": {} }),
    ];
    records.map(|record| record.to_string()).join("\n")
}

#[test]
fn a_list_of_records_is_read_like_lines() {
    let list = format!(
        "\n[{},\n{{\"client_id\": \"bad\", \"client_secret_hash\": \"x\"}}]",
        records().replace('\n', ",\n")
    );
    let (dir, file) = site(&list);
    let cli = Cli(&dir.path().join("data"));
    let said = cli.fails(1, &[IMPORT[0], IMPORT[1], &file]);
    assert!(said.contains("record 3: bad: client_secret_hash is not a bcrypt hash"), "{said}");
    let ids = cli.clients().iter().map(|client| client["client_id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids, ["ci", "plain"]);
    let (_dir, broken) = site("[{}");
    assert!(cli.fails(1, &[IMPORT[0], IMPORT[1], &broken]).contains("not a list"));
}

/// The stored hash of a client, while no server runs.
fn stored_hash(cli: &Cli<'_>, id: &str) -> String {
    let flags = Raw { data_dir: Some(cli.0.to_owned()), ..Raw::default() };
    let settings = Settings::load(flags, None, &Env::new()).unwrap();
    let store = open_store(&settings, std::sync::Arc::new(SystemClock), Box::new(|_| {})).unwrap();
    let id = ClientId::try_from(id.to_owned()).unwrap();
    let hash = store.read().unwrap().client(&id).unwrap().unwrap().secret_hash;
    store.close().unwrap();
    hash
}

/// A data directory and a file to import.
fn site(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clients.json");
    std::fs::write(&file, text).unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    (dir, file.to_str().unwrap().to_owned())
}

#[test]
fn the_first_good_login_and_no_other_replaces_an_imported_hash() {
    let (dir, file) = site(&records());
    let cli = Cli(&dir.path().join("data"));
    cli.ok(&[IMPORT[0], IMPORT[1], &file]);
    let expected = json!({
        "client_id": "ci", "role": "manager", "max_priority": { "q": 5, "*": 1 },
        "max_reservation_time": { "*": 40_000 }, "allowed_queues": ["rack/7"],
    });
    assert_eq!(cli.clients()[0], expected);
    assert_eq!(cli.clients()[1]["role"], "contributor");
    assert!(stored_hash(&cli, "ci").starts_with("$2b$04$"));

    let program = Program::serve(cli.0);
    assert_eq!(program.log_in("plain", "a wrong secret").status, 401);
    assert_eq!(program.log_in("ci", "a wrong secret").status, 401);
    let login = program.log_in("ci", SECRET).value();
    let permissions = &claims(login["access_token"].as_str().unwrap())["permissions"];
    assert_eq!(permissions["allowed_queues"], json!(["rack/7"]));
    // A better hash of the same secret does not end tokens that were issued for it.
    let refresh = json!({ "refresh_token": login["refresh_token"] });
    assert_eq!(program.anonymous().post("/v1/oauth2/refresh", &refresh).status, 200);
    program.stop();
    let hash = stored_hash(&cli, "ci");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(stored_hash(&cli, "plain").starts_with("$2b$04$"));

    // Importing again changes nothing, not even clients that were changed here in the meantime.
    cli.ok(&["client-admin", "edit", "ci", "--role", "contributor"]);
    let before = cli.clients();
    let said = cli.ok(&[IMPORT[0], IMPORT[1], &file]);
    assert_eq!(said, "0 created, 2 already there, 0 refused, 0 skipped\n");
    assert_eq!((cli.clients(), stored_hash(&cli, "ci")), (before, hash));
}

/// A hash of [`SECRET`] whose check takes seconds here and may take minutes elsewhere.
const SLOW: &str = "$2b$17$Hdmh0RFF5i0yKz5pkFN.1ef7ajc6i2G9b0zolGwstY.VCkWa2IEnu";

fn has_thread(pid: u32, name: &str) -> bool {
    let mut threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    threads.any(|thread| {
        std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    })
}

#[test]
fn a_slow_hash_is_checked_to_its_end_though_its_caller_left_and_a_hopeless_one_says_so() {
    let hopeless = SLOW.replace("$17$", "$31$");
    let records = [("slow", SLOW), ("hopeless", &hopeless)]
        .map(|(id, hash)| json!({ "client_id": id, "client_secret_hash": hash }).to_string());
    let (dir, file) = site(&records.join("\n"));
    let cli = Cli(&dir.path().join("data"));
    let output = cli.run(&[IMPORT[0], IMPORT[1], &file]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(out.ends_with("2 created, 0 already there, 0 refused, 0 skipped\n"), "{out}{err}");
    assert!(err.contains("slow: the cost of its bcrypt hash is so high that its first"), "{err}");
    assert!(err.contains("hopeless: the cost of its bcrypt hash is so high that one"), "{err}");

    let program = Program::serve(cli.0);
    let answer = program.log_in("hopeless", SECRET);
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains("an administrator must give it a new one"), "{}", answer.text());
    let authorization = basic("slow", SECRET);
    let mut caller = TcpStream::connect(program.url.trim_start_matches("http://")).unwrap();
    write!(
        caller,
        "POST /v1/oauth2/token HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nContent-Length: 0\r\n\r\n"
    )
    .unwrap();
    until("the check has begun", || has_thread(program.pid(), "slow-login"));
    drop(caller);
    until("the check has ended", || {
        let status = program.log_in("slow", SECRET).status;
        assert!(status == 200 || status == 503, "{status}");
        status == 200
    });
    program.stop();
    assert!(stored_hash(&cli, "slow").starts_with("$argon2id$"));
    assert_eq!(stored_hash(&cli, "hopeless"), hopeless);
}

#[test]
fn bad_records_are_named_without_their_hash_and_good_ones_are_read() {
    let hash = bcrypt::hash(SECRET, 4).unwrap();
    let bad = [
        "no json".to_owned(),
        json!({ "client_id": "md5", "client_secret_hash": "5f4dcc3b5aa765d61d8327deb882cf99" })
            .to_string(),
        json!({ "client_id": "a/b", "client_secret_hash": hash }).to_string(),
        json!({ "client_id": "god", "client_secret_hash": hash, "role": "god" }).to_string(),
    ];
    let (dir, file) = site(&format!("{}\n\n{}", bad.join("\n"), records()));
    let output = Cli(&dir.path().join("data")).run(&[IMPORT[0], IMPORT[1], &file]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(out.ends_with("2 created, 0 already there, 4 refused, 0 skipped\n"), "{out}");
    for word in ["line 1", "md5", "a/b: String does not match", "god"] {
        assert!(err.contains(word), "{word}: {err}");
    }
    for secret in [hash.as_str(), "5f4dcc3b", "$2b$"] {
        assert!(!err.contains(secret) && !out.contains(secret), "{out}{err}");
    }
}

#[test]
fn records_of_clients_that_log_in_elsewhere_are_skipped_with_a_line_each() {
    let elsewhere = [
        json!({ "client_id": "me@lab.example", "role": "contributor" }),
        json!({ "client_id": "you@lab.example", "client_secret_hash": null }),
    ];
    let lines = elsewhere.map(|record| record.to_string()).join("\n");
    let (dir, file) = site(&format!("{lines}\n{}", records()));
    let cli = Cli(&dir.path().join("data"));
    let output = cli.run(&[IMPORT[0], IMPORT[1], &file]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(out.ends_with("2 created, 0 already there, 0 refused, 2 skipped\n"), "{out}");
    for id in ["me@lab.example: skipped", "you@lab.example: skipped"] {
        assert_eq!(err.matches(id).count(), 1, "{err}");
    }
    assert_eq!(cli.clients().len(), 2);
}

#[test]
fn queues_that_stay_open_after_an_import_are_named_with_the_remedy() {
    let (dir, file) = site(&records());
    let cli = Cli(&dir.path().join("data"));
    let remedy = "queue-admin restrict rack/7 --owner ci";
    let hints = |more: &[&str]| {
        let output = cli.run(&[&[IMPORT[0], IMPORT[1], file.as_str()], more].concat());
        assert!(output.status.success());
        text(&output.stderr).matches(remedy).count()
    };
    assert_eq!(hints(&["--dry-run"]), 1);
    assert_eq!(std::fs::read_dir(cli.0).unwrap().count(), 0, "a dry run writes nothing");
    assert_eq!(hints(&[]), 1);
    cli.ok(&remedy.split(' ').collect::<Vec<_>>());
    assert_eq!(hints(&[]), 0);
}
