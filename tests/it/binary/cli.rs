//! The admin commands, on a stopped and on a running server.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::auth::{SECRET, basic, raw};
use crate::support::{Program, run, run_with_input};

/// An admin command on a data directory.
pub(crate) struct Cli<'a>(pub(crate) &'a Path);

impl Cli<'_> {
    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [args, &["--data-dir", self.0.to_str().unwrap()]].concat()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        run(&self.args(args), &[])
    }

    /// Runs a command that must work, and gives what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that must fail with this exit code, and gives what it said.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
        text(&output.stderr)
    }

    pub(crate) fn create(&self, id: &str, more: &[&str]) -> Output {
        let args = [&["client-admin", "create", id, "--secret-stdin"], more].concat();
        run_with_input(&self.args(&args), &format!("{SECRET}\n"))
    }

    /// Gives a client the secret of all tests.
    pub(crate) fn set_secret(&self, id: &str) {
        let args = self.args(&["client-admin", "set-secret", id, "--secret-stdin"]);
        assert!(run_with_input(&args, &format!("{SECRET}\n")).status.success());
    }

    pub(crate) fn clients(&self) -> Vec<Value> {
        serde_json::from_str(&self.ok(&["client-admin", "list", "--json"])).unwrap()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_data_directory() {
    use std::os::unix::fs::{MetadataExt, chown};
    const OTHER: u32 = 54_321;
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIP SKIP SKIP: only root can give files away");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(OTHER), Some(OTHER)).unwrap();
    assert!(Cli(dir.path()).create("ci", &[]).status.success());
    let made = ["testflinger.redb", "testflinger.journal", "blobs"];
    for path in made.map(|name| dir.path().join(name)) {
        let found = std::fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid()), (OTHER, OTHER), "{}", path.display());
    }
}

#[test]
fn a_client_is_bound_to_agents() {
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    let made = cli.create("rack", &["--role", "agent", "--agent", "rack1-*", "--agent", "spare"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert_eq!(cli.clients()[0]["agents"], json!(["rack1-*", "spare"]));
    cli.ok(&["client-admin", "edit", "rack", "--agent", "*"]);
    assert_eq!(cli.clients()[0]["agents"], json!(["*"]));
}

#[test]
fn a_queue_with_a_slash_in_its_name_is_restricted_and_opened() {
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    assert!(cli.create("ci", &[]).status.success());
    let queues = || cli.ok(&["queue-admin", "list", "--json"]);
    for running in [false, true] {
        let _program = running.then(|| Program::serve(dir.path()));
        cli.ok(&["queue-admin", "restrict", "rack/7", "--owner", "ci"]);
        assert!(queues().contains("rack/7"));
        cli.ok(&["queue-admin", "unrestrict", "rack/7", "--owner", "ci"]);
        assert!(!queues().contains("rack/7"));
    }
}

#[test]
fn no_escape_sequence_of_a_name_reaches_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    assert!(cli.create("ci", &[]).status.success());
    let queue = "q\u{1b}[2J\n\u{9b}31m";
    let restrict = cli.run(&["queue-admin", "restrict", queue, "--owner", "ci"]);
    let failed = cli.run(&["queue-admin", "unrestrict", "\u{1b}[2J"]);
    let list = cli.run(&["queue-admin", "list"]);
    for said in
        [&restrict, &failed, &list].map(|output| text(&output.stdout) + &text(&output.stderr))
    {
        assert!(!said.contains(['\u{1b}', '\u{9b}']), "{said:?}");
    }
    assert!(text(&list.stdout).contains(r"q\u001b[2J\n\u009b31m"), "{}", text(&list.stdout));
    let rows: Value = serde_json::from_str(&cli.ok(&["queue-admin", "list", "--json"])).unwrap();
    assert_eq!(rows[0]["queue"], queue);
}

fn log_in(program: &Program, id: &str, secret: &str) -> u16 {
    let authorization = basic(id, secret);
    let headers = [("Content-Length", "0"), ("Authorization", authorization.as_str())];
    raw(&program.url, "POST /v1/oauth2/token", &headers, "").status
}

/// The life of a client, from its creation to its deletion.
fn manages_clients(cli: &Cli<'_>, way: &str) {
    let created = cli.create("ci", &["--max-priority", "q=5", "--max-priority", "*=1"]);
    assert!(created.status.success(), "{}", text(&created.stderr));
    assert!(text(&created.stderr).contains(way), "{}", text(&created.stderr));
    assert_eq!(text(&created.stdout), "", "a secret that was given is not printed");
    assert_eq!(cli.create("ci", &[]).status.code(), Some(3));
    let client = cli.clients().into_iter().find(|client| client["client_id"] == "ci").unwrap();
    assert_eq!(client["max_priority"], json!({ "*": 1, "q": 5 }));
    assert_eq!(client["role"], "contributor");
    cli.ok(&["client", "edit", "ci", "--role", "manager", "--allowed-queue", "rq"]);
    let shown = cli.ok(&["client-admin", "show", "ci"]);
    assert!(shown.contains("manager") && shown.contains("rq"), "{shown}");
    assert!(cli.fails(2, &["client", "edit", "ci"]).contains("nothing to change"));
    cli.ok(&["queue-admin", "restrict", "rq", "--owner", "ci"]);
    let queues: Value = serde_json::from_str(&cli.ok(&["queue", "list", "--json"])).unwrap();
    assert_eq!(queues, json!([{ "owners": ["ci"], "queue": "rq" }]));
    cli.ok(&["queue", "unrestrict", "rq"]);
    assert!(cli.fails(1, &["queue", "unrestrict", "rq"]).contains("not found"));
    let generated = cli.ok(&["client", "set-secret", "ci", "--generate"]);
    assert_eq!(generated.lines().count(), 1, "{generated}");
    assert!(generated.trim().len() >= 32, "{generated}");
    cli.ok(&["client", "delete", "ci"]);
    assert!(cli.fails(1, &["client", "show", "ci"]).contains("does not exist"));
    assert!(cli.clients().iter().all(|client| client["client_id"] != "ci"));
}

#[test]
fn a_mistyped_data_directory_is_not_created_unless_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let typo = dir.path().join("typo");
    let refused = Cli(&typo).create("ci", &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--init"), "{}", text(&refused.stderr));
    assert!(!typo.exists());
    assert!(Cli(&typo).create("ci", &["--init"]).status.success());
}

#[test]
fn what_is_wrong_with_settings_that_a_command_does_not_need_does_not_stop_it() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Cli(dir.path()).create("ci", &[]).status.success());
    let data = dir.path().to_str().unwrap();
    let file = dir.path().join("config.toml");
    std::fs::write(&file, format!("data_dir = {data:?}\ncolour = 1\nkeep_jobs = 30\n")).unwrap();
    let wrong = [("TESTFLINGER_LISTEN", "here"), ("TESTFLINGER_WEBHOOK_AUTH_FILE", "/nowhere")];
    let output = run(&["client", "list", "--config", file.to_str().unwrap()], &wrong);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_socket_or_a_directory_that_may_not_be_opened_is_not_taken_for_absent() {
    use std::os::unix::process::CommandExt;
    if !crate::support::auth::is_root("looking at data as another user") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(Cli(&data).create("ci", &["--init"]).status.success());
    let mut command = crate::support::program();
    let output = command
        .args(["client", "list", "--data-dir", data.to_str().unwrap()])
        .uid(65_534)
        .gid(65_534)
        .current_dir("/")
        .output();
    // Where not even the program may be run there is nothing to see.
    let Ok(output) = output else { return };
    let said = text(&output.stderr);
    assert!(said.contains("Permission denied") && !said.contains("there is no data"), "{said}");
    assert!(said.contains(data.to_str().unwrap()), "{said}");
}

#[test]
fn a_server_that_does_not_answer_is_said_to_be_silent() {
    let dir = tempfile::tempdir().unwrap();
    let _silent = std::os::unix::net::UnixListener::bind(dir.path().join("admin.sock")).unwrap();
    let said = Cli(dir.path()).fails(1, &["client", "list"]);
    assert!(said.contains("admin.sock") && said.contains("did not answer within 5 s"), "{said}");
}

#[test]
fn clients_and_queues_are_managed_on_a_stopped_server() {
    let dir = tempfile::tempdir().unwrap();
    manages_clients(&Cli(dir.path()), "no server is running");
}

#[test]
fn clients_and_queues_are_managed_on_a_running_server() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let cli = Cli(dir.path());
    manages_clients(&cli, "using the running server");
    assert!(cli.create("boss", &["--role", "admin"]).status.success());
    assert_eq!(log_in(&program, "boss", SECRET), 200);
    let generated = cli.ok(&["client", "set-secret", "boss", "--generate"]);
    assert_eq!(log_in(&program, "boss", SECRET), 401);
    assert_eq!(log_in(&program, "boss", generated.trim()), 200);
}

#[test]
fn the_local_administrator_may_remove_the_last_admin() {
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    assert!(cli.create("testflinger-admin", &["--role", "admin"]).status.success());
    cli.ok(&["client", "delete", "testflinger-admin"]);
    assert_eq!(cli.clients(), Vec::<Value>::new());
}

#[test]
fn bad_secrets_and_missing_terminals_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    let short = run_with_input(&cli.args(&["client", "create", "a", "--secret-stdin"]), "short\n");
    assert_eq!(short.status.code(), Some(2));
    assert!(
        text(&short.stderr).contains("15 characters") && !text(&short.stderr).contains("short\n")
    );
    let none = run_with_input(&cli.args(&["client", "create", "a"]), "");
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("--generate"), "{}", text(&none.stderr));
    assert_eq!(cli.clients(), Vec::<Value>::new());
}

#[test]
fn a_mistyped_directory_does_not_become_an_empty_database() {
    let dir = tempfile::tempdir().unwrap();
    let typo = dir.path().join("typo");
    for args in [&["client", "list"][..], &["queue", "list"], &["client", "delete", "x"]] {
        assert!(Cli(&typo).fails(1, args).contains("there is no data in"));
    }
    assert!(!typo.exists());
}

#[test]
fn a_secret_that_cannot_be_read_stops_only_commands_that_need_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(Cli(&data).create("ci", &["--init"]).status.success());
    let backup = dir.path().join("lab.tar");
    let backup = backup.to_str().unwrap();
    Cli(&data).ok(&["backup", backup]);
    let missing = [("TESTFLINGER_WEBHOOK_AUTH_FILE", "/nowhere/secret")];
    let run = |args: &[&str]| crate::support::run(&Cli(&data).args(args), &missing);
    let refused = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("/nowhere/secret"), "{}", text(&refused.stderr));
    for args in [&["check"][..], &["restore", backup, "--replace"]] {
        let output = run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    }
    let _program = Program::serve(&data);
    assert!(run(&["client", "list"]).status.success());
}

#[test]
fn clients_of_an_existing_server_are_imported_and_log_in_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    let hash = |cost| bcrypt::hash(SECRET, cost).unwrap();
    let record = |id: &str, cost| {
        json!({
            "_id": { "$oid": "665f0c" },
            "client_id": id,
            "client_secret_hash": hash(cost),
            "role": "contributor",
            "max_priority": { "*": { "$numberInt": "7" } },
            "max_reservation_time": {},
            "allowed_queues": ["rq"],
        })
    };
    let file = dir.path().join("clients.json");
    let broken = json!({ "client_id": "broken", "client_secret_hash": "x" });
    let lines = format!("{}\n\n{}\n{broken}\n", record("old", 4), record("new", 8));
    std::fs::write(&file, lines).unwrap();
    let file = file.to_str().unwrap();
    let tried = cli.run(&["client-admin", "import", file, "--dry-run"]);
    assert!(text(&tried.stdout).contains("2 would be created, 0 already there, 1 refused"));
    assert!(!dir.path().join("testflinger.redb").exists(), "a dry run writes nothing");
    let imported = cli.run(&["client-admin", "import", file]);
    assert_eq!(imported.status.code(), Some(1), "one record was refused");
    assert!(text(&imported.stdout).contains("2 created, 0 already there, 1 refused"));
    assert!(text(&imported.stderr).contains("broken: client_secret_hash is not a bcrypt hash"));
    let again = text(&cli.run(&["client-admin", "import", file]).stdout);
    assert!(again.contains("0 created, 2 already there, 1 refused"), "{again}");
    assert_eq!(cli.clients()[0]["max_priority"], json!({ "*": 7 }));
    let program = Program::serve(dir.path());
    for id in ["old", "new"] {
        assert_eq!(log_in(&program, id, "a wrong secret, quite long"), 401);
        assert_eq!(log_in(&program, id, SECRET), 200);
        assert_eq!(log_in(&program, id, SECRET), 200, "after the hash was replaced too");
    }
}

#[test]
fn a_running_server_that_cannot_be_asked_is_named_with_an_exit_code_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let _program = Program::serve(dir.path());
    std::fs::remove_file(dir.path().join("admin.sock")).unwrap();
    assert!(Cli(dir.path()).fails(4, &["client", "list"]).contains("in use by another server"));
}

#[test]
fn taking_a_queue_from_its_last_owner_says_that_it_is_open_now() {
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    for id in ["one", "two"] {
        assert!(cli.create(id, &[]).status.success());
        cli.ok(&["queue", "restrict", "rq", "--owner", id]);
    }
    let said = cli.ok(&["queue", "unrestrict", "rq", "--owner", "one"]);
    assert!(said.contains("one may no longer use rq") && !said.contains("open"), "{said}");
    let said = cli.ok(&["queue", "unrestrict", "rq", "--owner", "two"]);
    assert!(said.contains("rq is open to everybody"), "{said}");
}

#[test]
fn no_flag_takes_a_secret_and_the_help_says_where_it_comes_from() {
    let help = |args: &[&str]| {
        let output = run(&[args, &["--help"]].concat(), &[]);
        assert!(output.status.success());
        text(&output.stdout)
    };
    let all = help(&[]);
    for word in ["serve", "client-admin", "queue-admin", "client]", "queue]"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    let clients = help(&["client-admin"]);
    for word in ["create", "list", "show", "edit", "set-secret", "delete", "import", "--data-dir"] {
        assert!(clients.contains(word), "{word}: {clients}");
    }
    for command in ["create", "set-secret"] {
        let flags = help(&["client-admin", command]);
        for word in ["--secret-stdin", "--generate", "once, on standard output"] {
            assert!(flags.contains(word), "{word}: {flags}");
        }
        assert!(!flags.contains("--secret ") && !flags.contains("SECRET"), "{flags}");
    }
    let dir = tempfile::tempdir().unwrap();
    let said = Cli(dir.path()).fails(2, &["client", "create", "ci", "--secret=hunter2-hunter2"]);
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_reader_that_goes_away_ends_no_command_in_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Cli(dir.path()).create("ci", &[]).status.success());
    let mut child = crate::support::program()
        .args(["client-admin", "list", "--data-dir", dir.path().to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("standard output was closed") && !said.contains("panicked"), "{said}");
}
