//! A newer dump updates what is there, and nothing that has changed here.

use std::fs;

use bson::doc;
use serde_json::json;

use super::dump::{Dump, SECRET, ago, artifact, id, job};
use super::{Site, assert_line, lines};
use crate::backup::entries;
use crate::binary::cli::Cli;
use crate::support::{Part, Program};

#[test]
fn importing_the_same_dump_again_changes_nothing() {
    let (site, dump) = (Site::new(), Dump::full());
    let first = site.import(&dump, &[]);
    let content = || {
        let backup = site.path("backup.tar");
        Cli(&site.data()).ok(&["backup", backup.to_str().unwrap(), "--force"]);
        let rows = |name: &str| {
            [
                "rows/job-1",
                "rows/result-1",
                "rows/drain-1",
                "rows/fragment-1",
                "rows/client-1",
                "rows/wait-1",
            ]
            .contains(&name)
                || name.starts_with("blobs/")
        };
        entries(&backup).into_iter().filter(|(name, _)| rows(name)).collect::<Vec<_>>()
    };
    let before = content();
    assert!(before.len() > 6, "{}", before.len());
    assert_eq!(site.import(&dump, &[]), first);
    let after = content();
    for (before, after) in before.iter().zip(&after) {
        // Large members of results get a new version each time.
        assert!(before.0 == "rows/result-1" || before == after, "{}", before.0);
    }
    let aside = fs::read_dir(site.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let aside = aside.filter(|name| name.to_str().unwrap().starts_with("data.before-import-2"));
    assert_eq!(aside.count(), 1);
}

#[test]
fn a_newer_dump_updates_what_did_not_change_here() {
    let (site, mut dump) = (Site::new(), Dump::full());
    site.import(&dump, &[]);
    let mut ended = job(2, "complete", 300);
    ended.insert("result_data", doc! { "job_state": "complete", "status": { "setup": 0 } });
    dump.0.get_mut("jobs").unwrap()[1] = ended.to_vec().unwrap();
    dump.0.remove("client_permissions");
    let hash = bcrypt::hash(SECRET, 4).unwrap();
    dump.add(
        "client_permissions",
        &doc! { "client_id": "ci", "client_secret_hash": &hash, "role": "admin" },
    )
    .add("jobs", &job(7, "waiting", 5))
    .file(&format!("{}.artifact", id(2)), b"new", 3);
    dump.0.insert("queue_wait_times".to_owned(), Vec::new());
    dump.add("queue_wait_times", &doc! { "name": "rack1", "wait_times": [0, 2, 2, 8] });
    dump.0.insert("output".to_owned(), Vec::new());
    dump.add(
        "output",
        &doc! { "job_id": id(1), "updated_at": ago(6), "output": ["unread", "text", "more"] },
    );
    let (_, report) = site.import(&dump, &[]);
    assert!(!lines(&report).iter().any(|line| line.contains("| kept |")), "{:#?}", lines(&report));
    let program = Program::serve(&site.data());
    let anyone = program.anonymous();
    let result = anyone.get(&format!("/v1/result/{}", id(2))).value();
    assert_eq!(
        (&result["job_state"], &result["provision_status"]),
        (&json!("complete"), &json!(null))
    );
    assert_eq!(anyone.get(&format!("/v1/result/{}/artifact", id(2))).body, b"new");
    assert_eq!(anyone.get(&format!("/v1/result/{}/artifact", id(1))).body, artifact());
    assert_eq!(anyone.get("/v1/queues/rack1/jobs").value().as_array().unwrap().len(), 7);
    assert!(anyone.get("/v1/queues/wait_times").value()["rack1"]["95"].as_f64().unwrap() > 7.0);
    assert_eq!(anyone.get(&format!("/v1/result/{}/output", id(1))).text(), "unread\ntext\nmore");
    assert_eq!(Cli(&site.data()).clients()[0]["role"], "admin");
}

#[test]
fn what_changed_here_is_not_overwritten() {
    let (site, mut dump) = (Site::new(), Dump::full());
    site.import(&dump, &[]);
    Cli(&site.data()).ok(&["client-admin", "edit", "old", "--role", "agent"]);
    Cli(&site.data()).ok(&["client-admin", "delete", "me@lab.example"]);
    Cli(&site.data()).ok(&["queue-admin", "unrestrict", "private"]);
    let program = Program::serve(&site.data());
    assert_eq!(program.log_in("ci", SECRET).status, 200);
    let agent = program.anonymous().header("Cookie", "agent_name=agent1");
    assert_eq!(agent.post("/v1/agents/data/agent1", &json!({ "state": "waiting" })).status, 200);
    assert_eq!(agent.claim("rack1"), Some(id(3)));
    let path = format!("/v1/result/{}", id(3));
    assert_eq!(
        agent.post(&path, &json!({ "job_state": "complete", "test_status": 0 })).status,
        200
    );
    assert_eq!(agent.upload(&format!("{path}/artifact"), &[Part("file", b"mine")]).status, 200);
    let ours = program.anonymous().submit(&json!({ "job_queue": "rack1" }));
    drop(program.stop());

    dump.file(&format!("{}.artifact", id(3)), b"theirs", 2);
    let (_, report) = site.import(&dump, &[]);
    for words in [
        &["client_permissions", "kept", "1: it was deleted here"][..],
        &["client_permissions", "kept", "it was changed here"],
        &["restricted_queues", "kept"],
        &["agents", "kept"],
        &["jobs", "kept", "1: "],
        &["fs.files", "kept", "1: "],
        &["queue_wait_times", "kept"],
    ] {
        assert_line(&report, words);
    }
    assert_eq!(Cli(&site.data()).ok(&["queue-admin", "list", "--json"]).trim(), "[]");
    let clients = Cli(&site.data()).clients();
    let roles: Vec<_> =
        clients.iter().map(|client| (&client["client_id"], &client["role"])).collect();
    assert_eq!(
        format!("{roles:?}"),
        r#"[(String("ci"), String("manager")), (String("old"), String("agent"))]"#
    );
    let program = Program::serve(&site.data());
    let anyone = program.anonymous();
    assert_eq!(anyone.get("/v1/agents/data/agent1").value()["state"], "waiting");
    assert_eq!(anyone.state(&id(3)), "complete");
    assert_eq!(anyone.get(&format!("{path}/artifact")).body, b"mine");
    assert_eq!(anyone.state(&ours), "waiting");
    assert_eq!(program.log_in("ci", SECRET).status, 200);
}

#[test]
fn nothing_is_written_into_a_directory_of_something_else_or_under_a_running_server() {
    let (site, dump) = (Site::new(), Dump::full());
    dump.directory(&site.path("dump"), false);
    let args = ["import", "mongodb", site.path("dump").to_str().unwrap()].map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    fs::create_dir(site.data()).unwrap();
    fs::write(site.data().join("thesis"), "x").unwrap();
    let said = Cli(&site.data()).fails(3, &args);
    assert!(said.contains("has no data of this server"), "{said}");
    fs::remove_file(site.data().join("thesis")).unwrap();
    Cli(&site.data()).fails(1, &args);
    let program = Program::serve(&site.data());
    Cli(&site.data()).fails(4, &args);
    assert_eq!(program.anonymous().state(&id(2)), "test");
}
