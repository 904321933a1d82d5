use std::io::BufRead;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::store::open::set_schema;
use crate::support::{Program, run, until};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[track_caller]
fn failed(output: &Output, code: i32, names: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for name in names {
        assert!(text.contains(name), "{name} is not in: {text}");
    }
}

#[test]
fn the_first_log_line_says_where_it_listens() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let first = program.log().remove(0);
    assert!(first.ends_with(&format!("listening on {}", program.url)), "{first}");
    assert!(program.url.starts_with("http://127.0.0.1:") && !program.url.ends_with(":0"));
    assert_eq!(program.anonymous().get("/v1").status, 200);
}

#[test]
fn only_its_user_may_look_into_the_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/data");
    let _program = Program::serve(&data);
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("testflinger.redb")), 0o600);
    assert_eq!(mode(&data.join("blobs")), 0o700);
}

#[test]
fn a_data_directory_that_was_made_open_is_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let _program = Program::serve(dir.path());
    assert_eq!(mode(dir.path()), 0o700);
}

#[test]
fn an_open_server_that_strangers_can_reach_warns() {
    let dir = tempfile::tempdir().unwrap();
    let warned = |listen: &str, access: &str| {
        let env = [("TESTFLINGER_ACCESS", access)];
        let args = ["serve", "--listen", listen, "--data-dir", dir.path().to_str().unwrap()];
        let mut command = crate::support::program();
        command.args(args).envs(env).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
        let lines = lines.map_while(Result::ok).take_while(|line| !line.contains(" ready "));
        let found = lines.filter(|line| line.contains("everybody who reaches")).count();
        child.kill().unwrap();
        child.wait().unwrap();
        found
    };
    assert_eq!(warned("0.0.0.0:0", "open"), 1);
    assert_eq!(warned("0.0.0.0:0", "locked"), 0);
    assert_eq!(warned("127.0.0.1:0", "open"), 0);
}

#[test]
fn a_key_that_is_gone_is_warned_about_and_one_that_never_was_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let warned = || {
        let program = Program::serve(dir.path());
        until("it is ready", || program.log().iter().any(|line| line.contains(" ready ")));
        program.log().iter().filter(|line| line.contains("key that signs tokens")).count()
    };
    let created = run(&["client-admin", "create", "x", "--generate", "--data-dir", data], &[]);
    assert!(created.status.success());
    assert_eq!(warned(), 0);
    std::fs::remove_file(dir.path().join("keys/jwt.key")).unwrap();
    assert_eq!(warned(), 1);
    assert_eq!(warned(), 0);
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let first = Program::serve(dir.path());
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", path], &[]);
    failed(&second, 4, &[path, "in use by another server"]);
    assert_eq!(first.anonymous().get("/v1").status, 200);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let path = dir.path().to_str().unwrap();
    failed(&run(&["serve", "--listen", &addr, "--data-dir", path], &[]), 1, &[&addr]);
    // What the failed start has made is whole.
    let program = Program::serve(dir.path());
    until("it is ready", || program.log().iter().any(|line| line.contains(" ready ")));
    assert!(!program.log().iter().any(|line| line.contains("WARN")), "{:?}", program.log());
}

#[test]
fn what_is_wrong_in_the_configuration_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    let path = file.to_str().unwrap();
    for (text, key) in [("colour = 1", "colour"), ("keep_jobs = \"soon\"", "keep_jobs")] {
        std::fs::write(&file, text).unwrap();
        failed(&run(&["serve", "--config", path], &[]), 2, &[key, path]);
        failed(&run(&["serve"], &[("TESTFLINGER_CONFIG", path)]), 2, &[key, path]);
    }
    std::fs::remove_file(&file).unwrap();
    failed(&run(&["serve", "--config", path], &[]), 2, &[path]);
}

#[test]
fn a_bad_variable_or_flag_is_named() {
    let variable = ("TESTFLINGER_MAX_UPLOAD_SIZE", "huge");
    failed(&run(&["serve"], &[variable]), 2, &[variable.0, variable.1]);
    failed(&run(&["serve", "--keep-jobs", "soon"], &[]), 2, &["--keep-jobs", "soon"]);
    failed(&run(&["serve", "--colour"], &[]), 2, &["--colour"]);
    let log = [("TESTFLINGER_LOG", "a=b=c"), ("TESTFLINGER_DATA_DIR", "/nowhere")];
    failed(&run(&["serve"], &log), 2, &["LOG"]);
    failed(&run(&["serve"], &[]), 2, &["--data-dir"]);
}

#[test]
fn a_duration_without_a_unit_is_refused_with_a_proposal() {
    let wants = ["\"30s\"", "\"30m\"", "\"30h\"", "\"30d\""];
    failed(&run(&["serve", "--keep-jobs", "30"], &[]), 2, &wants);
    failed(&run(&["serve"], &[("TESTFLINGER_KEEP_JOBS", "30")]), 2, &wants);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "keep_jobs = 30\n").unwrap();
    let path = file.path().to_str().unwrap();
    failed(&run(&["serve", "--config", path], &[]), 2, &wants);
    failed(&run(&["serve", "--config", path], &[]), 2, &["line 1: keep_jobs"]);
}

#[test]
fn a_level_that_does_not_exist_stops_the_start() {
    failed(&run(&["serve", "--log", "verbose"], &[]), 2, &["--log", "\"verbose\" is not a level"]);
}

#[test]
fn a_variable_that_is_named_like_a_setting_and_is_none_stops_the_start() {
    let of_clients = ("TESTFLINGER_CLIENT_ID", "ci");
    let args = ["serve", "--listen", "nowhere"];
    failed(&run(&args, &[of_clients]), 2, &["nowhere"]);
    let mistyped = ("TESTFLINGER_KEEP_JOB", "30d");
    failed(&run(&["serve"], &[mistyped]), 2, &["TESTFLINGER_KEEP_JOB is not a setting"]);
}

#[test]
fn the_start_says_how_long_things_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve_with(dir.path(), &["--keep-jobs", "36h"]);
    let found = || {
        program.log().iter().any(|line| line.contains("retention in force") && line.contains("36h"))
    };
    until("the retention is logged", found);
}

#[test]
fn localhost_is_an_address() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let listen = format!("localhost:{port}");
    let said = format!("cannot listen on 127.0.0.1:{port}");
    failed(&run(&["serve", "--listen", &listen, "--data-dir", path], &[]), 1, &[&said]);
}
#[test]
fn data_of_a_newer_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let mut program = Program::serve(dir.path());
    program.signal(rustix::process::Signal::TERM);
    program.wait();
    set_schema(dir.path(), 9);
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", path], &[]);
    failed(&output, 6, &["version 9", "up to 4"]);
}
